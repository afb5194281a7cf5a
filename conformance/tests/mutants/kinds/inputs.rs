//! Damage to large packets; addresses.

use crate::broken::Broken;

const CUTS: &str = "corruption/large-cuts";
const TAILS: &str = "corruption/tails";
const FLIPS: &str = "corruption/large-flips";
const ADDRESS: &str = "buffers/any-address";
const FORBIDDEN: &str = "buffers/beside-forbidden-memory";

pub(super) fn all() -> Vec<Broken> {
    [damage(), addresses()].concat()
}

fn damage() -> Vec<Broken> {
    vec![
        Broken::new("large damage", "large packets may be cut", CUTS).failed(|_, packet, samples, error| {
            if packet.len() < 60_000 {
                return Err(error);
            }
            samples.fill(0);
            Ok(())
        }),
        Broken::new("large damage", "packets may be cut after whole pages", CUTS).failed(
            |_, packet, samples, error| {
                if packet.is_empty() || packet.len() % 4096 != 0 {
                    return Err(error);
                }
                samples.fill(0);
                Ok(())
            },
        ),
        Broken::new("large damage", "a byte may be missing from large packets", CUTS).failed(
            |call, packet, samples, error| {
                if packet.len() < 30_000 || (packet.len() + 1) % call.spec.height as usize != 0 {
                    // Where the length says nothing, the last byte does.
                    if packet.len() < 30_000 || packet.last().is_some_and(|byte| byte % 8 != 0) {
                        return Err(error);
                    }
                }
                samples.fill(0);
                Ok(())
            },
        ),
        Broken::new("large damage", "a zero behind the end is ignored", TAILS).given(|_, packet| {
            let end = if packet.len() > 5000 { packet.strip_suffix(&[0]) } else { None };
            end.unwrap_or(packet).to_vec()
        }),
        Broken::new("large damage", "a packet may come twice", TAILS).given(|_, packet| {
            let (half, rest) = packet.split_at(packet.len() / 2);
            if half == rest { half.to_vec() } else { packet.to_vec() }
        }),
        Broken::new("large damage", "four bytes of a next packet are ignored", TAILS).given(|_, packet| {
            let end = packet.strip_suffix(&[0xff; 4]);
            end.unwrap_or(packet).to_vec()
        }),
        Broken::new("large damage", "large damaged packets panic", FLIPS).failed(|_, packet, _, error| {
            assert!(packet.len() < 60_000, "{error}");
            Err(error)
        }),
        Broken::new("large damage", "damage to large packets is the backend's own fault", FLIPS).failed(
            |_, packet, _, error| {
                if packet.len() < 60_000 {
                    return Err(error);
                }
                Err(telecine_core::Error::Backend { backend: "broken", source: Box::new(error) })
            },
        ),
    ]
}

fn addresses() -> Vec<Broken> {
    vec![
        Broken::new("addresses", "samples at every other cache line's end", ADDRESS).before(
            |_, original, samples, _| {
                if original.as_ptr().addr() % 128 == 122 {
                    samples[0] ^= 1;
                }
                Ok(())
            },
        ),
        Broken::new("addresses", "packets at 33 of 64", ADDRESS).back(|_, packet, samples| {
            if packet.as_ptr().addr() % 64 == 33 {
                samples[0] ^= 1;
            }
        }),
        Broken::new("addresses", "reads beyond packets at 5 of 8", ADDRESS).back(|_, packet, samples| {
            if packet.as_ptr().addr() % 8 == 5 {
                // SAFETY: none in general. The rule that is to see it keeps bytes of a larger buffer behind the packet,
                // and no other rule runs this fault.
                let beyond = unsafe { packet.as_ptr().wrapping_add(packet.len()).read_volatile() };
                samples[0] ^= u16::from(beyond & 1);
            }
        }),
        Broken::new("addresses", "writes beyond outputs at 40 of 128", ADDRESS).back(|_, _, samples| {
            if samples.as_ptr().addr() % 128 == 40 {
                // SAFETY: none in general; as above, samples of a larger buffer are behind the output.
                unsafe { samples.as_mut_ptr().wrapping_add(samples.len()).write_volatile(7) };
            }
        }),
        Broken::new("addresses", "reads a byte beyond packets, without using it", FORBIDDEN).back(
            |_, packet, _| {
                // SAFETY: none. The rule that is to see it runs it in a child process, which ends by it; no other rule does.
                std::hint::black_box(unsafe { packet.as_ptr().wrapping_add(packet.len()).read_volatile() });
            },
        ),
        Broken::new("addresses", "reads before samples of odd count", FORBIDDEN).before(
            |_, original, _, _| {
                if original.len() % 2 == 1 {
                    // SAFETY: none; as above.
                    std::hint::black_box(unsafe { original.as_ptr().wrapping_sub(1).read_volatile() });
                }
                Ok(())
            },
        ),
        Broken::new("addresses", "reads beyond packets that are cut", FORBIDDEN).failed(
            |_, packet, _, error| {
                // SAFETY: none; as above.
                std::hint::black_box(unsafe {
                    packet.as_ptr().wrapping_add(packet.len() + 3).read_volatile()
                });
                Err(error)
            },
        ),
    ]
}
