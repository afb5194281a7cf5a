//! Whole tensors, through everything between values and packets.

use telecine_core::{DType, Distortion, Error, MatrixShape, Target, TensorBuf};

use crate::pipeline::{Coded, Pipeline, mean_squares, rounding_error};
use crate::tensors::{Held, Layout, SHAPES, deviation, special};
use crate::{Cases, Failure, Family, Rule, Subject};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "pipeline/lossless-exact",
        family: Family::Pipeline,
        guarantee: "A lossless tensor comes back bit for bit, whatever its dtype, shape and layout in memory.",
        applies: |subject| subject.is_lossless(),
        run: lossless_exact,
    },
    Rule {
        id: "pipeline/special-values",
        family: Family::Pipeline,
        guarantee: "NaNs keep their payload, infinities stay, and neither disturbs the values beside them.",
        applies: |subject| subject.is_complete(),
        run: special_values,
    },
    Rule {
        id: "pipeline/error-targets-met",
        family: Family::Pipeline,
        guarantee: "A tensor of any dtype, shape and layout comes back within the error that was asked for.",
        applies: |subject| subject.is_complete(),
        run: error_targets_met,
    },
    Rule {
        id: "pipeline/bits-target-met",
        family: Family::Pipeline,
        guarantee: "A tensor takes the bits that were asked for within 1 %, all bytes counted.",
        applies: |subject| subject.is_lossy(),
        run: bits_target_met,
    },
    Rule {
        id: "pipeline/bits-target-never-exceeded",
        family: Family::Pipeline,
        guarantee: "Where a tensor cannot be made as small as was asked for, that is said, and nothing larger returned.",
        applies: |subject| subject.is_complete(),
        run: bits_target_never_exceeded,
    },
    Rule {
        id: "pipeline/report-is-measured",
        family: Family::Pipeline,
        guarantee: "The errors and bytes that are reported are those of what comes back, for each chunk and in total.",
        applies: |subject| subject.is_complete(),
        run: report_is_measured,
    },
    Rule {
        id: "pipeline/rows-equal-whole",
        family: Family::Pipeline,
        guarantee: "Rows that are read alone equal the same rows of the whole tensor.",
        applies: |subject| subject.is_complete(),
        run: rows_equal_whole,
    },
    Rule {
        id: "pipeline/layout-does-not-show",
        family: Family::Pipeline,
        guarantee: "How a tensor lies in memory does not change a byte of what it is coded to.",
        applies: |subject| subject.is_complete(),
        run: layout_does_not_show,
    },
];

/// Values of a chunk: few, so that the test tensors have several.
const CHUNK: u64 = 400;

/// The error targets for a dtype, lossless ones where the subject has them.
fn targets(subject: &Subject, dtype: DType) -> Vec<Target> {
    let unit = f64::from(deviation(dtype));
    let mut targets = vec![
        Target::Nmse(0.3),
        Target::Nmse(0.003),
        Target::MaxAbs(unit / 4.0),
        Target::MaxAbs(unit / 60.0),
        Target::Step(unit / 2.0),
    ];
    targets.extend(subject.is_lossless().is_ok().then_some(Target::Lossless));
    targets
}

/// Every combination of dtype, shape and layout.
///
/// When few are wanted, or where the backend's groups are large so that each takes long, every so many of them: the
/// strides share no factor with the numbers of levels, so that each level of each is met.
fn combinations(subject: &Subject) -> impl Iterator<Item = (DType, &'static [u64], Layout)> {
    let stride = match (subject.is_quick(), subject.has_large_groups()) {
        (false, false) => 1,
        (false, true) => 7,
        (true, false) => 23,
        (true, true) => 53,
    };
    let all = DType::ALL.iter().flat_map(|&dtype| {
        SHAPES.into_iter().flat_map(move |shape| Layout::ALL.map(|layout| (dtype, shape, layout)))
    });
    all.step_by(stride)
}

fn lossless_exact(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for (dtype, shape, layout) in combinations(subject) {
        for held in [Held::bits(dtype, shape, layout, 1), Held::gaussian(dtype, shape, layout, 2)] {
            let tensor = held.tensor()?;
            let back = pipeline.decode(&pipeline.encode(&tensor, Target::Lossless)?)?;
            cases.check(back == tensor.to_owned(), || format!("{dtype} {shape:?}, {layout:?}"))?;
        }
    }
    Ok(())
}

fn special_values(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for dtype in DType::ALL.iter().copied().filter(|dtype| dtype.is_float()) {
        let (size, special) = (dtype.size(), special(dtype));
        let held = Held::new(dtype, &[40, 50], Layout::RowMajor, |dtype, count| {
            let tensor = Held::gaussian(dtype, &[40, 50], Layout::RowMajor, 3);
            let mut bytes = tensor.tensor().map(|tensor| tensor.to_owned().bytes).unwrap_or_default();
            for (at, bits) in (0..count).step_by(31).zip(special.iter().cycle()) {
                bytes[at * size..][..size].copy_from_slice(bits);
            }
            bytes
        });
        let original = held.tensor()?.to_owned();
        for target in targets(subject, dtype) {
            let back = pipeline.decode(&pipeline.encode(&held.tensor()?, target)?)?;
            let pairs = original.bytes.chunks_exact(size).zip(back.bytes.chunks_exact(size));
            let lost = pairs.clone().position(|(a, b)| dtype.distance(a, a).is_none() && a != b);
            cases.check(lost.is_none(), || format!("{dtype}, {target}: value {lost:?} is not kept"))?;
            // The largest finite value is in the mean: what lies beside it is held against the rest.
            let strayed = pairs
                .clone()
                .position(|(a, b)| dtype.distance(a, a).is_some() && dtype.distance(a, b).is_none());
            cases
                .check(strayed.is_none(), || format!("{dtype}, {target}: value {strayed:?} is not finite"))?;
            cases.check(target != Target::Lossless || back == original, || format!("{dtype}: not exact"))?;
        }
    }
    Ok(())
}

fn error_targets_met(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for (dtype, shape, layout) in combinations(subject) {
        let held = Held::gaussian(dtype, shape, layout, 4);
        let tensor = held.tensor()?;
        let original = tensor.to_owned();
        for target in targets(subject, dtype) {
            let back = pipeline.decode(&pipeline.encode(&tensor, target)?)?;
            let whole = back.shape == original.shape && back.bytes.len() == original.bytes.len();
            cases
                .check(whole, || format!("{dtype} {shape:?}, {target}: shape {:?} came back", back.shape))?;
            let missed = miss(target, &original, &back);
            cases.check(missed.is_none(), || {
                format!("{dtype} {shape:?}, {layout:?}, {target}: {}", missed.unwrap_or_default())
            })?;
        }
    }
    Ok(())
}

/// What is wrong with a tensor that came back, if anything is.
fn miss(target: Target, original: &TensorBuf, back: &TensorBuf) -> Option<String> {
    let measured = Distortion::measure(original.dtype, &original.bytes, &back.bytes);
    match target {
        Target::Nmse(wanted) => (measured.nmse() > wanted).then(|| format!("nmse {}", measured.nmse())),
        Target::MaxAbs(wanted) => {
            (measured.max_abs_error > wanted).then(|| format!("an error of {}", measured.max_abs_error))
        }
        Target::Step(step) => {
            let (error, energy) = mean_squares(original, back);
            // Few values have no mean to speak of.
            let factor = if original.bytes.len() < 500 * original.dtype.size() { 12.0 } else { 3.0 };
            let bound = factor * step * step / 12.0 + 2.0 * rounding_error(original.dtype, energy);
            (error > bound).then(|| format!("a mean squared error of {error:.3e}, the bound is {bound:.3e}"))
        }
        Target::Lossless => (original != back).then(|| "it is not exact".to_owned()),
        Target::Bits(_) | Target::Bytes(_) => None,
        other => Some(format!("no rule knows the target {other}")),
    }
}

/// A Gaussian matrix large enough for any rate.
fn matrix(dtype: DType) -> Held {
    Held::gaussian(dtype, &[256, 256], Layout::RowMajor, 5)
}

fn bits_target_met(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, 1 << 14)?;
    for dtype in [DType::F32, DType::Bf16, DType::F16, DType::F64] {
        let held = matrix(dtype);
        for bits in [1.5, 2.88, 4.0] {
            let report = pipeline.encode(&held.tensor()?, Target::Bits(bits))?.report;
            cases.check((0.99..=1.01).contains(&(report.bits() / bits)), || {
                format!("{dtype}: {:.4} bits per value where {bits} were asked for", report.bits())
            })?;
        }
    }
    Ok(())
}

fn bits_target_never_exceeded(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, 1 << 14)?;
    let held = matrix(DType::F32);
    for bits in [0.001, 0.1, 0.7, 3.0, 7.0, 9.0, 17.0, 40.0] {
        match pipeline.encode(&held.tensor()?, Target::Bits(bits)) {
            Ok(coded) => {
                #[expect(clippy::cast_precision_loss, reason = "a ratio")]
                let taken = coded.chunks.iter().map(|chunk| chunk.bytes()).sum::<u64>() as f64 / 8192.0;
                cases.check(taken <= 1.01 * bits, || format!("{taken} bits where {bits} were asked for"))?;
            }
            Err(Error::OutOfReach { .. }) => cases.check(true, String::new)?,
            Err(error) => cases.check(false, || format!("{bits} bits: {error:?}"))?,
        }
    }
    Ok(())
}

fn report_is_measured(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for (dtype, shape, layout) in combinations(subject).filter(|(.., layout)| *layout != Layout::Gaps) {
        let held = Held::gaussian(dtype, shape, layout, 6);
        let original = held.tensor()?.to_owned();
        for target in targets(subject, dtype) {
            let coded = pipeline.encode(&held.tensor()?, target)?;
            let back = pipeline.decode(&coded)?;
            let wrong = misreported(&coded, &original, &back);
            cases.check(wrong.is_none(), || {
                format!("{dtype} {shape:?}, {layout:?}, {target}: {}", wrong.unwrap_or_default())
            })?;
        }
    }
    Ok(())
}

/// What a report says that is not so, if anything.
fn misreported(coded: &Coded, original: &TensorBuf, back: &TensorBuf) -> Option<String> {
    let Coded { chunks, report, .. } = coded;
    let dtype = original.dtype;
    let near = |stated: f64, measured: f64| (stated - measured).abs() <= 1e-9 * measured;
    let mut at = 0;
    for chunk in chunks {
        let len = usize::try_from(chunk.values).unwrap_or(usize::MAX) * dtype.size();
        let measured = Distortion::measure(dtype, &original.bytes[at..at + len], &back.bytes[at..at + len]);
        if !near(chunk.nmse, measured.nmse()) || chunk.max_abs_error != measured.max_abs_error {
            let (index, stated, nmse) = (chunk.index, chunk.nmse, measured.nmse());
            return Some(format!("chunk {index} states nmse {stated:e}, measured is {nmse:e}"));
        }
        at += len;
    }
    let measured = Distortion::measure(dtype, &original.bytes, &back.bytes);
    let bytes: u64 = chunks.iter().map(|chunk| chunk.bytes()).sum();
    let values = (original.bytes.len() / dtype.size()) as u64;
    if !near(report.nmse, measured.nmse()) || report.max_abs_error != measured.max_abs_error {
        return Some(format!("the report states nmse {:e}, measured is {:e}", report.nmse, measured.nmse()));
    }
    (report.bytes != bytes || report.values != values)
        .then(|| format!("the report states {} bytes, there are {bytes}", report.bytes))
}

fn rows_equal_whole(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for (dtype, shape, layout) in combinations(subject).filter(|(.., layout)| *layout == Layout::RowMajor) {
        let held = Held::gaussian(dtype, shape, layout, 7);
        let MatrixShape { rows, cols, .. } = MatrixShape::of(shape);
        for target in [Target::Nmse(0.01), Target::MaxAbs(f64::from(deviation(dtype)) / 9.0)] {
            let coded = pipeline.encode(&held.tensor()?, target)?;
            let whole = pipeline.decode(&coded)?;
            let row = usize::try_from(cols).unwrap_or(usize::MAX) * dtype.size();
            for (start, end) in
                [(0, 0), (0, 1), (rows / 3, rows / 2), (rows / 2, rows), (rows.saturating_sub(1), rows)]
            {
                let (start, end) = (start.min(rows), end.min(rows));
                let part = pipeline.decode_rows(&coded, start..end)?;
                #[expect(clippy::cast_possible_truncation, reason = "within the bytes of a small tensor")]
                let wanted = &whole.bytes[start as usize * row..end as usize * row];
                cases.check(part.bytes == wanted, || {
                    format!("{dtype} {shape:?}, {target}: rows {start}..{end} of {rows} differ")
                })?;
            }
        }
    }
    Ok(())
}

fn layout_does_not_show(subject: &Subject, cases: &mut Cases) -> Result<(), Failure> {
    let pipeline = Pipeline::new(subject, CHUNK)?;
    for (dtype, shape, layout) in combinations(subject).filter(|(.., layout)| *layout != Layout::RowMajor) {
        let held = Held::gaussian(dtype, shape, layout, 8);
        let copy = held.tensor()?.to_owned();
        for target in [Target::Nmse(0.02), Target::Step(f64::from(deviation(dtype)) / 3.0)] {
            let (laid, packed) =
                (pipeline.encode(&held.tensor()?, target)?, pipeline.encode(&copy.view()?, target)?);
            cases.check(laid == packed, || {
                format!("{dtype} {shape:?}, {layout:?}, {target}: other packets")
            })?;
        }
    }
    Ok(())
}
