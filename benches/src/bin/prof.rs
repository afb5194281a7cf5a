use telecine_benches::{ours::Plane, race::Coder, source, step_of};
use telecine_core::{Effort, EncodeOptions};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let source = source::distributions().into_iter().find(|s| s.name == a[1]).unwrap();
    let n: usize = a[3].parse().unwrap();
    let bits: f64 = a[4].parse().unwrap();
    let mut p = if bits > 15.0 {
        Plane::lossless(
            source.values.iter().map(|v| half::bf16::from_f32(v * 0.05).to_bits().rotate_left(1)).collect(),
            source.columns,
        )
        .unwrap()
    } else {
        Plane::lossy(&source.values, source.columns, step_of(bits), &EncodeOptions::with_effort(Effort::Fast))
            .unwrap()
    };
    p.encode().unwrap();
    p.decode().unwrap();
    let t = std::time::Instant::now();
    for _ in 0..n {
        if a[2] == "d" { p.decode().unwrap() } else { p.encode().unwrap() }
    }
    println!("{:.3} ns/value", t.elapsed().as_secs_f64() * 1e9 / (n * source.values.len()) as f64);
}
