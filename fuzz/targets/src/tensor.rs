//! Any small tensor survives encoding and decoding as well as its target says.

use std::sync::LazyLock;

use crate::input::effort;
use arbitrary::{Result, Unstructured};
use telecine::{Codec, CodecId, CoreError, DType, Distortion, Encoding, Error, Target, Tensor};

/// Values of a tensor, at most.
const MOST: u64 = 1 << 12;

static CODEC: LazyLock<Codec> = LazyLock::new(Codec::new);

fn target(input: &mut Unstructured<'_>) -> Result<Target> {
    let (kind, number): (u8, u8) = input.arbitrary()?;
    let number = f64::from(number);
    Ok(match kind % 5 {
        0 => Target::Bits(0.05 + number / 16.0),
        1 => Target::Nmse((-number / 8.0).exp2()),
        2 => Target::MaxAbs((number / 4.0 - 40.0).exp2()),
        3 => Target::Step((number / 4.0 - 40.0).exp2()),
        _ => Target::Lossless,
    })
}

fn round_trip(input: &mut Unstructured<'_>) -> Result<()> {
    let dtype = *input.choose(DType::ALL)?;
    let mut shape = Vec::new();
    let mut left = MOST;
    for _ in 0..input.int_in_range(0..=4)? {
        let length = u64::from(input.arbitrary::<u16>()?) % (left + 1);
        left /= length.max(1);
        shape.push(length);
    }
    let mut encoding = Encoding::new(target(input)?);
    encoding.effort = effort(input)?;
    encoding.codec =
        *input.choose(&[None, Some(CodecId::NATIVE), Some(CodecId::ZSTD), Some(CodecId::RAW)])?;
    encoding.keep_small = input.arbitrary()?;
    encoding.chunk_values = 1 << input.int_in_range(6..=12)?;
    // The bytes of the input, again and again, with a number that makes the rounds differ where it is not 0.
    let size = shape.iter().product::<u64>() as usize * dtype.size();
    let change: u8 = input.arbitrary()?;
    let given = input.bytes(input.len())?;
    let byte = |at: usize| {
        let round = (at / given.len().max(1)) as u8;
        given.get(at % given.len().max(1)).copied().unwrap_or(0).wrapping_add(round.wrapping_mul(change))
    };
    let mut bytes: Vec<u8> = (0..size).map(byte).collect();
    if dtype == DType::Bool {
        bytes.iter_mut().for_each(|byte| *byte &= 1);
    }

    let tensor = Tensor::new(dtype, &shape, &bytes).unwrap();
    let encoded = match CODEC.encode(&tensor, &encoding) {
        Ok(encoded) => encoded,
        Err(Error::Core(
            CoreError::Invalid(_) | CoreError::Unsupported(_) | CoreError::OutOfReach { .. },
        )) => return Ok(()),
        Err(error) => panic!("{error:?}"),
    };
    let back = CODEC.decode(&encoded).unwrap();
    assert_eq!((back.dtype, &back.shape), (dtype, &shape));
    let measured = Distortion::measure(dtype, &bytes, &back.bytes);
    match encoding.target {
        Target::Lossless => assert!(back.bytes == bytes, "not lossless"),
        Target::MaxAbs(bound) => assert!(encoded.report.max_abs_error <= bound, "{:?}", encoded.report),
        Target::Nmse(nmse) => assert!(encoded.report.nmse <= nmse, "{:?}", encoded.report),
        _ => (),
    }
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(b.abs());
    let reported = near(measured.nmse(), encoded.report.nmse);
    assert!(reported, "measured {} reported {}", measured.nmse(), encoded.report.nmse);
    Ok(())
}

pub(crate) fn tensor_round_trip(data: &[u8]) {
    let _ = round_trip(&mut Unstructured::new(data));
}
