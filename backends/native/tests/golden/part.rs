//! What a plane's part of a packet says without decoding it (docs/bitstream-tns1.md, "Plane").

/// The way in which a part wraps another (docs/bitstream-tns1.md, "Parts").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Differences(usize),
    Masked,
    Palette(usize),
    Stored,
}

/// The head of a part.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// The parts around this one, from the outermost on; last, whether it is stored.
    pub(crate) kinds: Vec<Kind>,
    /// Whether it is all planes of a group as one.
    pub(crate) is_joined: bool,
    /// The sample of a constant plane, which has nothing else.
    pub(crate) constant: Option<u16>,
    pub(crate) states: u32,
    pub(crate) lanes: u32,
    pub(crate) symmetric: bool,
    pub(crate) contexts: u8,
    /// With a trellis.
    pub(crate) spacing: f32,
    /// Without one.
    pub(crate) base: u16,
    /// Whether row classes drift, where there are classes.
    pub(crate) drifts: bool,
    /// Bytes of raw bits.
    pub(crate) raw: usize,
}

impl Part {
    /// Reads the parts of a packet of this many frames.
    pub(crate) fn read_all(mut packet: &[u8], frames: u32) -> Vec<Self> {
        if frames == 1 {
            return vec![Self::read(packet)];
        }
        if packet[0] == 0 {
            return vec![Self { is_joined: true, ..Self::read(&packet[1..]) }];
        }
        let next = |_| {
            let length = varint(&mut packet);
            Self::read(take(&mut packet, length))
        };
        (0..frames).map(next).collect()
    }

    fn read(mut bytes: &[u8]) -> Self {
        if let [0xff, low, high] = *bytes {
            return Self { constant: Some(u16::from_le_bytes([low, high])), ..Self::default() };
        }
        if bytes[0] >= 0xfb {
            let kind = take(&mut bytes, 1)[0];
            let kind = match kind {
                0xfd => Kind::Differences(varint(&mut bytes)),
                0xfc => {
                    take(&mut bytes, 2);
                    Kind::Masked
                }
                0xfb => Kind::Palette(varint(&mut bytes)),
                _ => return Self { kinds: vec![Kind::Stored], ..Self::default() },
            };
            if !matches!(kind, Kind::Differences(_)) {
                let length = varint(&mut bytes);
                take(&mut bytes, length);
            }
            let mut inner = Self::read(bytes);
            inner.kinds.insert(0, kind);
            return inner;
        }
        let [log2_states, lanes, contexts] = *take(&mut bytes, 3) else { unreachable!() };
        let (mut spacing, mut base) = (1.0, 0);
        if log2_states > 0 {
            spacing = f32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap());
        } else {
            base = u16::from_le_bytes(take(&mut bytes, 2).try_into().unwrap());
        }
        let length = varint(&mut bytes);
        let side = take(&mut bytes, length);
        // The range coder's first bit is at ½: its bound is half the range.
        let code = side.iter().chain(&[0; 4]).take(4).fold(0, |code, &byte| code << 8 | u32::from(byte));
        let drifts = contexts > 1 && code >= (u32::MAX >> 12) * 2048;
        let words = varint(&mut bytes);
        let lanes_log2 = lanes & 0x7f;
        take(&mut bytes, (4 << lanes_log2) + 2 * words);
        Self {
            kinds: Vec::new(),
            is_joined: false,
            constant: None,
            states: 1 << log2_states,
            lanes: 1 << lanes_log2,
            symmetric: lanes & 0x80 != 0,
            contexts,
            spacing,
            base,
            drifts,
            raw: bytes.len(),
        }
    }
}

/// Takes bytes off the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(count);
    *bytes = rest;
    head
}

/// Takes a length off the front.
fn varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
