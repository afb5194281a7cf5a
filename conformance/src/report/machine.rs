//! Where a suite ran.

use std::fs;

use serde::Serialize;

/// The machine, as far as it says.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The system's name.
    pub system: String,
    /// Operating system and architecture of the build, such as `linux x86_64`.
    pub platform: String,
    /// Sets of SIMD instructions that matter to codecs.
    pub instructions: Vec<&'static str>,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        let processor = field("/proc/cpuinfo", "model name", ':')
            .or_else(|| field("/proc/cpuinfo", "Model", ':'))
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let memory = field("/proc/meminfo", "MemTotal", ':');
        let memory = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
        let system = field("/etc/os-release", "PRETTY_NAME", '=');
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory.map(|kib| kib * 1024),
            system: system.map_or_else(|| platform.clone(), |name| name.trim_matches('"').to_owned()),
            platform,
            instructions: instructions(),
        }
    }
}

/// The value of the first line that begins with `name`, for a file of names and values.
fn field(path: &str, name: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    });
    value.filter(|value| !value.is_empty())
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<&'static str> {
    let sets = [
        ("SSE4.2", is_x86_feature_detected!("sse4.2")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("AVX-512F", is_x86_feature_detected!("avx512f")),
        ("AVX-512BW", is_x86_feature_detected!("avx512bw")),
        ("AVX-512VBMI", is_x86_feature_detected!("avx512vbmi")),
    ];
    sets.into_iter().filter(|(_, here)| *here).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Vec<&'static str> {
    if cfg!(target_arch = "aarch64") { vec!["NEON"] } else { Vec::new() }
}
