//! Backends that are broken on purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use telecine_core::{
    Backend, BackendInfo, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result,
    Unavailable,
};
use telecine_native::Native;
use telecine_zstd::Zstd;

use crate::fault::Fault::{self, *};

/// A sound backend with one fault.
#[derive(Debug)]
pub(crate) struct Mutant {
    fault: Fault,
    sound: Arc<dyn Backend>,
    info: BackendInfo,
}

impl Mutant {
    pub(crate) fn new(fault: Fault) -> Self {
        let sound: Arc<dyn Backend> =
            if fault == IsNotStandard { Arc::new(Zstd) } else { Arc::new(Native::default()) };
        let mut info = sound.info().clone();
        info.name = "mutant";
        match fault {
            TakesWhatItDisclaims => info.capabilities.depths = &[8, 16],
            PromisesTooMuch => info.capabilities.excess = 0.02,
            _ => (),
        }
        Self { fault, sound, info }
    }
}

impl Backend for Mutant {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        match self.fault {
            OnlyEvenWidths if spec.width % 2 == 1 => return Err(Error::unsupported("odd width")),
            ProbeLies => return Err(Error::unsupported("the library went away")),
            _ => (),
        }
        let coder = Coder::new(self.fault, spec, options.effort);
        let sound = self.sound.encoder(spec, options)?;
        Ok(Box::new(MutantEncoder { coder, sound, kept: Vec::new() }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        let coder = Coder::new(self.fault, spec, Effort::Fast);
        Ok(Box::new(MutantDecoder { coder, sound: self.sound.decoder(spec)? }))
    }
}

/// What a mutant remembers between calls.
struct Coder {
    fault: Fault,
    spec: GroupSpec,
    effort: Effort,
    last: Vec<u16>,
    calls: u64,
    failed: bool,
}

impl Coder {
    fn new(fault: Fault, spec: GroupSpec, effort: Effort) -> Self {
        Self { fault, spec, effort, last: Vec::new(), calls: 0, failed: false }
    }

    /// Whether packets end with bytes that the fault added, behind them their number.
    fn adds_bytes(&self) -> bool {
        matches!(
            self.fault,
            WastesBytes
                | PadsToPages
                | InflatesNoise
                | CountsPackets
                | NamesItsThread
                | ReadsPastTheSamples
                | RemembersHowOftenItWasCalled
                | StoresConstantsRaw
                | LargerWithAge
        )
    }

    /// Differences to the last group, modulo the range of samples, and back.
    fn predict(&mut self, samples: &mut [u16], forward: bool) {
        let given = samples.to_vec();
        let before = self.last.iter().copied().chain(std::iter::repeat(0));
        for (sample, before) in samples.iter_mut().zip(before) {
            *sample = if forward { sample.wrapping_sub(before) } else { sample.wrapping_add(before) };
            *sample &= self.spec.max_sample();
        }
        self.last = if forward { given } else { samples.to_vec() };
    }
}

/// Whether a tenth of the samples equal the one in the middle.
fn is_flat(samples: &[u16]) -> bool {
    let middle = samples[samples.len() / 2];
    10 * samples.iter().filter(|sample| **sample == middle).count() >= samples.len()
}

static PACKETS: AtomicU64 = AtomicU64::new(0);
static GROUPS: AtomicU64 = AtomicU64::new(0);

struct MutantEncoder {
    coder: Coder,
    sound: Box<dyn Encoder>,
    kept: Vec<Vec<u8>>,
}

impl MutantEncoder {
    /// What the sound encoder is given instead.
    fn distort(&mut self, samples: &mut [u16], quality: &mut Quality) {
        let Coder { fault, spec, effort, failed, .. } = self.coder;
        if samples.len() != spec.samples() {
            return;
        }
        let max = spec.max_sample();
        match (fault, quality) {
            (IgnoresStep, Quality::Step(step)) if *step > 0.0 => *step = f32::from(max) / 40.0,
            (StepTimesThree, Quality::Step(step)) => *step *= 3.0,
            (StepUpsideDown, Quality::Step(step)) if *step > 0.0 => *step = f32::from(max) / *step,
            (LosslessLosesLowBit, Quality::Lossless) => samples.iter_mut().for_each(|s| *s &= !1),
            (EffortBestIsInexact, Quality::Lossless) if effort == Effort::Best => samples[0] ^= 1,
            (DepthTwelveIsInexact, Quality::Lossless) if spec.depth == 12 => samples[0] ^= 1,
            (ClipsOutliers, Quality::Step(_)) => {
                samples.iter_mut().for_each(|s| *s = (*s).clamp(max / 4, max / 4 * 3));
            }
            (LosesOneValue, Quality::Lossless) => {
                samples.iter_mut().filter(|s| **s == max - 2).for_each(|s| *s = max - 1);
            }
            (WideRowsWrap, _) if spec.width > 65_536 => samples.rotate_left(1),
            (ManyFramesAreWrong, _) if spec.frames > 255 => samples.rotate_left(1),
            (LastFrameIsLost, _) if spec.frames > 1 => {
                let at = samples.len() - samples.len() / spec.frames as usize;
                samples[at..].fill(0);
            }
            (LargeGroupsAreWrong, _) if samples.len() > 1 << 19 => samples.rotate_left(1),
            (SingleRowsAreZero, _) if spec.height == 1 => samples.fill(0),
            (PredictsFromLastGroup, _) => self.coder.predict(samples, true),
            // Coarser than a thousandth of the range of samples whatever is asked for.
            // The six highest bits survive, the others change in an irregular order.
            (NoisyAtFineSteps, Quality::Step(step)) if *step < f32::from(max) / 1500.0 => {
                let noise = (0..=u16::MAX).map(|at| at.wrapping_mul(40_503) >> 3 & (max >> 6));
                samples.iter_mut().zip(noise.cycle()).for_each(|(sample, noise)| *sample ^= noise);
            }
            (EncoderDiesOnError, _) if failed => samples.fill(0),
            _ => (),
        }
    }

    /// The bytes that the fault adds to a packet.
    fn waste(&self, samples: &[u16], quality: Quality, length: usize) -> usize {
        let constant = samples.iter().all(|sample| *sample == samples[0]);
        match self.coder.fault {
            WastesBytes => samples.len() / 8,
            PadsToPages => length.next_multiple_of(4096) - length,
            InflatesNoise if quality == Quality::Lossless => samples.len() / 4,
            StoresConstantsRaw if constant => samples.len(),
            // Every packet is larger than the one before.
            LargerWithAge => 50 * PACKETS.fetch_add(1, Ordering::Relaxed) as usize,
            CountsPackets => PACKETS.fetch_add(1, Ordering::Relaxed) as usize % 100,
            RemembersHowOftenItWasCalled => self.coder.calls as usize % 100,
            ReadsPastTheSamples => {
                // SAFETY: none in general, as in a library that reads whole blocks. The rule that is to see it keeps
                // samples of a larger buffer behind these, and no other rule runs this fault.
                let beyond = unsafe { samples.as_ptr().wrapping_add(samples.len()).read_volatile() };
                usize::from(beyond & 0x3f)
            }
            NamesItsThread => format!("{:?}", std::thread::current().id()).bytes().map(usize::from).sum(),
            _ => 0,
        }
    }
}

impl Encoder for MutantEncoder {
    fn encode(&mut self, samples: &[u16], mut quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        let fault = self.coder.fault;
        self.coder.calls += 1;
        match fault {
            RefusesWhatItClaims if quality == Quality::Lossless => {
                return Err(Error::unsupported("not today"));
            }
            SingleSamplesFail if self.coder.spec.samples() == 1 => {
                return Err(Error::unsupported("too small"));
            }
            LengthsAreDamage if samples.len() != self.coder.spec.samples() => {
                return Err(Error::corrupt("a group of the wrong length"));
            }
            FailsAtFineSteps if matches!(quality, Quality::Step(step) if step < 30.0) => {
                return Err(Error::Backend { backend: "mutant", source: "quantiser out of range".into() });
            }
            FailsOnQuietGroups
                if quality != Quality::Lossless
                    && samples.iter().all(|sample| sample.abs_diff(self.coder.spec.mid_sample()) < 300) =>
            {
                return Err(Error::Backend { backend: "mutant", source: "quantiser out of range".into() });
            }
            PanicsOnConstants if samples.iter().all(|sample| *sample == samples[0]) => {
                panic!("a group of one value");
            }
            ClearsThePacket => packet.clear(),
            EncoderHoards => drop(std::hint::black_box(vec![1u8; 400 * samples.len() + (40 << 20)])),
            _ => (),
        }
        let mut distorted = samples.to_vec();
        self.distort(&mut distorted, &mut quality);
        let start = packet.len();
        if let Err(error) = self.sound.encode(&distorted, quality, packet) {
            self.coder.failed = true;
            if fault == LeavesJunkOnError {
                packet.push(1);
            }
            return Err(error);
        }
        match fault {
            PrependsToThePacket => packet.rotate_left(start),
            Leaks => self.kept.push(packet.clone()),
            IsNotStandard => packet[start] ^= 1,
            _ => (),
        }
        if self.coder.adds_bytes() {
            let waste = self.waste(samples, quality, packet.len() - start);
            packet.extend(std::iter::repeat_n(0, waste));
            packet.extend_from_slice(&(waste as u32).to_le_bytes());
        }
        Ok(())
    }
}

struct MutantDecoder {
    coder: Coder,
    sound: Box<dyn Decoder>,
}

impl MutantDecoder {
    /// What the caller gets instead of what the sound decoder returned.
    fn distort(&mut self, before: &[u16], samples: &mut [u16]) {
        let Coder { fault, spec, calls, failed, .. } = self.coder;
        let last = samples.len() - 1;
        match fault {
            DecodesAtRandom if GROUPS.fetch_add(1, Ordering::Relaxed) % 5 == 4 => samples[last] ^= 1,
            OtherInstructionsDiffer => samples[last] ^= 1,
            WritesPastTheEnd => {
                // SAFETY: none in general, as in a library that writes whole blocks. The rule that is to see it lends a
                // part of a larger buffer, and no other rule runs this fault.
                unsafe { samples.as_mut_ptr().wrapping_add(samples.len()).write_volatile(7) };
            }
            DropsLastSample | DisagreesWithItsPeer => samples[last] ^= 1,
            SamplesOverDepth if spec.depth < 16 => samples[last] |= spec.max_sample() + 1,
            DecoderDrifts if calls > 1 => samples[0] ^= 1,
            // Only where a tenth of the samples are one value, and every other time.
            FlatContentDrifts if is_flat(samples) => {
                samples[last] ^=
                    (GROUPS.fetch_add(1, Ordering::Relaxed) % 2) as u16 * (spec.max_sample() / 2);
            }
            DecodesOtherwiseEverySecondTime => {
                let wrong = GROUPS.fetch_add(1, Ordering::Relaxed) % 2 == 1;
                samples.iter_mut().for_each(|sample| *sample ^= u16::from(wrong) * (spec.max_sample() / 2));
            }
            PredictsFromLastGroup => self.coder.predict(samples, false),
            MixesWithTheOutput => samples[last] ^= before[last] & 1,
            LeavesMiddleSamplesUnset => {
                for (sample, before) in samples.iter_mut().zip(before) {
                    *sample = if *sample == spec.mid_sample() { *before } else { *sample };
                }
            }
            DecoderDiesOnError if failed => samples.fill(0),
            _ => (),
        }
    }
}

impl Decoder for MutantDecoder {
    fn decode(&mut self, packet: &[u8], samples: &mut [u16]) -> Result<()> {
        let mended;
        let mut packet = packet;
        let fault = self.coder.fault;
        self.coder.calls += 1;
        match fault {
            LengthsAreDamage if samples.len() != self.coder.spec.samples() => {
                return Err(Error::corrupt("an output of the wrong length"));
            }
            AllocatesByThePacket => {
                let length = packet.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                std::hint::black_box(Vec::<u8>::with_capacity(length as usize));
            }
            _ => (),
        }
        if self.coder.adds_bytes() {
            let split = packet.split_last_chunk::<4>().and_then(|(rest, waste)| {
                rest.len().checked_sub(u32::from_le_bytes(*waste) as usize).map(|len| &rest[..len])
            });
            packet = split.ok_or_else(|| Error::corrupt("a packet of a mutant ends early"))?;
        }
        let before = samples.to_vec();
        match fault {
            IsNotStandard if !packet.is_empty() => {
                mended = [&[packet[0] ^ 1], &packet[1..]].concat();
                packet = &mended;
            }
            _ => (),
        }
        // SAFETY: none in general; see `ReadsPastTheSamples`.
        let beyond = (fault == ReadsPastThePacket)
            .then(|| unsafe { packet.as_ptr().wrapping_add(packet.len()).read_volatile() });
        match self.sound.decode(packet, samples) {
            Ok(()) => {
                self.distort(&before, samples);
                if let Some(beyond) = beyond {
                    samples[0] ^= u16::from(beyond & 1);
                }
                Ok(())
            }
            Err(error @ Error::Corrupt(_)) => {
                self.coder.failed = true;
                match fault {
                    PanicsOnDamage => panic!("{error}"),
                    PanicsOnTails if error.to_string().contains("goes on") => panic!("{error}"),
                    AcceptsDamage => {
                        samples.fill(0);
                        Ok(())
                    }
                    BlamesItselfForDamage => {
                        Err(Error::Backend { backend: "mutant", source: Box::new(error) })
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}
