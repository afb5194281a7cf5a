//! History, memory, threads, time, and what a process is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use telecine_core::Quality;

use crate::broken::Broken;

const HISTORY: &str = "recovery/a-thousand-groups";
const MEMORY: &str = "limits/creations-keep-nothing";
const STEP_MEMORY: &str = "limits/encoder-memory-at-any-step";
const THREADS: &str = "limits/no-threads-left";
const CONTENT_TIME: &str = "limits/content-time";
const DAMAGE_TIME: &str = "limits/damage-time";
const PROCESS: &str = "determinism/any-process";

pub(super) fn all() -> Vec<Broken> {
    [history(), resources(), time(), process()].concat()
}

fn history() -> Vec<Broken> {
    vec![
        Broken::new("history", "an encoder tires after 150 groups", HISTORY).before(|call, _, samples, _| {
            samples[0] ^= u16::from(call.calls > 150);
            Ok(())
        }),
        Broken::new("history", "a decoder tires after 40 damaged packets", HISTORY)
            .back(|call, _, samples| samples[0] ^= u16::from(call.failures > 40)),
        Broken::new("history", "an encoder tires after 20 errors", HISTORY).before(|call, _, samples, _| {
            samples[0] ^= u16::from(call.failures > 20);
            Ok(())
        }),
        Broken::new("history", "a decoder tires after 300 packets", HISTORY).back(|call, _, samples| {
            if call.calls > 300 {
                samples.fill(0);
            }
        }),
    ]
}

/// A thread that stays.
fn leave_a_thread() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
}

fn leak(bytes: usize) {
    std::hint::black_box(Box::leak(vec![1u8; bytes].into_boxed_slice()));
}

fn resources() -> Vec<Broken> {
    vec![
        Broken::new("resources", "each decoder leaves a page", MEMORY).made(|_| leak(4096)),
        Broken::new("resources", "each damaged packet leaves a few bytes", MEMORY).failed(
            |_, _, _, error| {
                leak(24);
                Err(error)
            },
        ),
        Broken::new("resources", "each group leaves a few bytes", "limits/nothing-kept").before(
            |_, _, _, _| {
                leak(16);
                Ok(())
            },
        ),
        Broken::new("resources", "other threads keep memory", MEMORY).made(|_| {
            std::thread::spawn(|| leak(300)).join().unwrap();
        }),
        Broken::new("resources", "memory that the allocator does not count", MEMORY).made(|_| {
            // SAFETY: the layout has a size; the memory is never given back, which is the fault.
            std::hint::black_box(unsafe { System.alloc(Layout::from_size_align(1 << 14, 8).unwrap()) });
        }),
        Broken::new("resources", "memory by the step", STEP_MEMORY).before(|_, _, _, quality| {
            if let Quality::Step(step) = quality {
                std::hint::black_box(Vec::<u8>::with_capacity((*step * 65_536.0) as usize));
            }
            Ok(())
        }),
        Broken::new("resources", "memory by the inverse of the step", STEP_MEMORY).before(
            |_, _, _, quality| {
                if let Quality::Step(step) = quality {
                    std::hint::black_box(Vec::<u8>::with_capacity((1e6 / *step) as usize));
                }
                Ok(())
            },
        ),
        Broken::new("resources", "each encoder or decoder leaves a thread", THREADS)
            .made(|_| leave_a_thread()),
        Broken::new("resources", "each damaged packet leaves a thread", THREADS).failed(|_, _, _, error| {
            leave_a_thread();
            Err(error)
        }),
        Broken::new("resources", "each refused group leaves a thread", THREADS).refused(|_| leave_a_thread()),
        Broken::new("resources", "each encoder or decoder leaves a file open", THREADS)
            .made(|_| std::mem::forget(std::fs::File::open("/dev/null").unwrap())),
    ]
}

/// A loop that the compiler keeps.
fn spin(rounds: usize) {
    for round in 0..rounds {
        std::hint::black_box(round);
    }
}

fn time() -> Vec<Broken> {
    vec![
        Broken::new("time", "waits at each damaged packet", DAMAGE_TIME).failed(|_, _, _, error| {
            std::thread::sleep(Duration::from_millis(200));
            Err(error)
        }),
        Broken::new("time", "reads damaged packets again and again", DAMAGE_TIME).failed(
            |_, packet, _, error| {
                spin(packet.len() * 20_000);
                Err(error)
            },
        ),
        Broken::new("time", "quadratic in equal samples", CONTENT_TIME).before(|_, _, samples, _| {
            let runs = samples.chunk_by(|a, b| a == b).map(<[u16]>::len);
            spin(runs.map(|run| run * run / 2).sum());
            Ok(())
        }),
        Broken::new("time", "quadratic in extremes", CONTENT_TIME).before(|call, _, samples, _| {
            let count = samples.iter().filter(|s| **s == 0 || **s == call.spec.max_sample()).count();
            spin(count * count);
            Ok(())
        }),
        Broken::new("time", "a decoder is slow where samples rise", CONTENT_TIME).back(|_, _, samples| {
            let rising = samples.chunk_by(|a, b| a <= b).map(<[u16]>::len);
            spin(rising.map(|run| run * run).sum());
        }),
        Broken::new("time", "quadratic in the planes", "limits/size-time").before(|call, _, _, _| {
            spin(1000 * (call.spec.frames as usize).pow(2));
            Ok(())
        }),
        Broken::new("time", "quadratic in the size", "limits/size-time").before(|_, _, samples, _| {
            spin(samples.len() * samples.len() / 4);
            Ok(())
        }),
    ]
}

static PACKETS: AtomicU64 = AtomicU64::new(0);
static SEED: OnceLock<u64> = OnceLock::new();

fn process() -> Vec<Broken> {
    vec![
        Broken::new("process", "packets have the number of the process", PROCESS)
            .pad(|_, _, _| std::process::id() as usize % 50),
        Broken::new("process", "packets have the second", PROCESS).pad(|_, _, _| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            now.as_secs() as usize % 50
        }),
        Broken::new("process", "packets have a seed of the process", PROCESS)
            .pad(|_, _, _| *SEED.get_or_init(|| RandomState::new().hash_one(1)) as usize % 100),
        Broken::new("process", "packets count by the hundred", PROCESS)
            .pad(|_, _, _| PACKETS.fetch_add(1, Ordering::Relaxed) as usize / 100 % 50),
        Broken::new("process", "packets have the folder", PROCESS)
            .pad(|_, _, _| std::env::current_dir().map_or(0, |folder| folder.as_os_str().len() % 50)),
    ]
}
