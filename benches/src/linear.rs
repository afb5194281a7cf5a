//! Whether the cost per value stays the same as tensors grow, in time on the processor, which a busy machine hardly moves.

use std::sync::Arc;

use rand::{SeedableRng, rngs::SmallRng};
use rand_distr::{Distribution, StandardNormal};
use telecine::{Encoding, TensorBuf};
use telecine_core::{DType, Target};

use crate::ours::Pipeline;
use crate::race::{Coder, Fault};

/// Columns of the tensors.
const COLUMNS: usize = 512;
/// The least and the most values, as powers of two.
const SIZES: [u32; 5] = [20, 22, 24, 26, 28];

/// Prints nanoseconds per value of the whole pipeline at each size, on one thread, as `pack --step` does by default.
///
/// # Errors
/// Those of the pipeline.
pub fn print(runs: usize) -> Result<(), Fault> {
    println!("N(0,1) at 3 bits, balanced, transform auto, one thread; nanoseconds per value");
    println!("{:>10} {:>9} {:>9} {:>9} {:>9}", "values", "bits", "encode", "decode", "peak MiB");
    for size in SIZES {
        let count = 1usize << size;
        let mut rng = SmallRng::seed_from_u64(u64::from(size));
        let mut bytes = Vec::with_capacity(count * 4);
        for _ in 0..count {
            let value: f32 = StandardNormal.sample(&mut rng);
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let shape = vec![(count / COLUMNS) as u64, COLUMNS as u64];
        let tensor = Arc::new(TensorBuf { dtype: DType::F32, shape, bytes });
        let encoding = Encoding::new(Target::Step(crate::step_of(3.0)));
        let mut pipeline = Pipeline::new(&tensor, encoding, 1)?;
        let (mut encode, mut decode) = (u64::MAX, u64::MAX);
        for _ in 0..runs {
            let start = spent()?;
            pipeline.encode()?;
            let between = spent()?;
            pipeline.decode()?;
            encode = encode.min(between - start);
            decode = decode.min(spent()? - between);
        }
        pipeline.check()?;
        let bits = pipeline.packed() as f64 * 8.0 / count as f64;
        let [encode, decode] = [encode, decode].map(|nanoseconds| nanoseconds as f64 / count as f64);
        println!("{count:>10} {bits:>9.4} {encode:>9.2} {decode:>9.2} {:>9}", peak());
    }
    Ok(())
}

/// Nanoseconds that the threads of this process have spent on a processor, as Linux counts them.
fn spent() -> Result<u64, Fault> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}

/// The most memory that this process has held, in MiB; 0 where the system does not say.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default() / 1024
}
