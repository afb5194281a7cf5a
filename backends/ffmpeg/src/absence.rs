//! The meaning of codes and messages of NVIDIA's driver and of FFmpeg: which [`Unavailable`], and what to do about it.

use std::ffi::c_int;

use telecine_core::Unavailable;

/// An [`Unavailable`] of a backend that is named later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absence {
    /// A library of the driver is missing or too old.
    Library { library: String, reason: String },
    /// There is no device, or it has not the engine.
    Device(String),
    /// Libraries and device are there; something else failed.
    Init(String),
}

impl Absence {
    /// A library that does not load, with what its loader said.
    pub(crate) fn missing(library: &str, said: &str) -> Self {
        let reason = format!(
            "{said}. It comes with NVIDIA's driver: Debian has it as libcuda1, libnvidia-encode1 and libnvcuvid1 in \
             non-free, and in a container the variable NVIDIA_DRIVER_CAPABILITIES must name `video`"
        );
        Self::Library { library: library.into(), reason }
    }

    /// A library that lacks something.
    pub(crate) fn outdated(library: &str, said: &str) -> Self {
        let reason = format!("{said}: NVIDIA's driver is too old; install a newer one");
        Self::Library { library: library.into(), reason }
    }

    /// The same with the name of the device in front.
    pub(crate) fn about(self, device: &str) -> Self {
        let with = |reason| format!("{device}: {reason}");
        match self {
            Self::Library { library, reason } => Self::Library { library, reason: with(reason) },
            Self::Device(reason) => Self::Device(with(reason)),
            Self::Init(reason) => Self::Init(with(reason)),
        }
    }

    pub(crate) fn of(self, backend: &'static str) -> Unavailable {
        match self {
            Self::Library { library, reason } => Unavailable::Library { backend, library, reason },
            Self::Device(reason) => Unavailable::Device { backend, reason },
            Self::Init(reason) => Unavailable::Init { backend, reason },
        }
    }
}

/// A `CUresult` of a call into `libcuda` or `libnvcuvid`; codes of no known meaning are [`Absence::Init`].
pub(crate) fn cuda(library: &str, call: &str, code: c_int) -> Result<(), Absence> {
    let said = |meaning: &str| format!("{call} fails with code {code}{meaning}");
    let library = |meaning: &str| Absence::Library { library: library.into(), reason: said(meaning) };
    Err(match code {
        0 => return Ok(()),
        34 => {
            library(", CUDA_ERROR_STUB_LIBRARY: this is the toolkit's stand-in; put the driver's own first")
        }
        803 => library(
            ", CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: the library is of another version than the kernel's module; restart, or \
             install the same version",
        ),
        804 => library(
            ", CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE: the package cuda-compat is not for this device; take it out of \
             LD_LIBRARY_PATH",
        ),
        46 => Absence::Device(said(", CUDA_ERROR_DEVICE_UNAVAILABLE: another process has it for itself")),
        100 => Absence::Device(said(
            ", CUDA_ERROR_NO_DEVICE: looked for an NVIDIA GPU. A container must be given it (--gpus all), and \
             CUDA_VISIBLE_DEVICES must not hide it",
        )),
        101 => Absence::Device(said(", CUDA_ERROR_INVALID_DEVICE: looked for an NVIDIA GPU as device 0")),
        102 => Absence::Device(said(", CUDA_ERROR_DEVICE_NOT_LICENSED")),
        304 => Absence::Device(said(
            ", CUDA_ERROR_OPERATING_SYSTEM: the nodes /dev/nvidia* cannot be opened. A container must be given them",
        )),
        // Of one device, or one codec, as far as a driver knows it.
        1 | 801 if call == "cuvidGetDecoderCaps" => {
            Absence::Device(said(": the driver knows no such codec for this device"))
        }
        2 => Absence::Init(said(", CUDA_ERROR_OUT_OF_MEMORY: free memory of the device")),
        802 => Absence::Init(said(", CUDA_ERROR_SYSTEM_NOT_READY: start NVIDIA's Fabric Manager")),
        999 => Absence::Init(said(", CUDA_ERROR_UNKNOWN: load the module nvidia_uvm, or restart")),
        _ => Absence::Init(said("")),
    })
}

/// An `NVENCSTATUS` of a call into `libnvidia-encode`; codes of no known meaning are [`Absence::Init`].
pub(crate) fn nvenc(library: &str, call: &str, code: c_int) -> Result<(), Absence> {
    let said = |meaning: &str| format!("{call} fails with code {code}{meaning}");
    Err(match code {
        0 => return Ok(()),
        1 | 2 | 5 => Absence::Device(said(
            ": the device has no NVENC. Not every one has the engine: A100, H100 and H200 have none",
        )),
        8 | 12 if call == "nvEncGetEncodeCaps" => Absence::Device(said(": its NVENC has no such codec")),
        15 => Absence::outdated(library, &said(", NV_ENC_ERR_INVALID_VERSION")),
        10 => Absence::Init(said(
            ", NV_ENC_ERR_OUT_OF_MEMORY: too many sessions are open, or the device's memory is full",
        )),
        21 => Absence::Init(said(
            ", NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY: too many sessions are open; consumers' devices allow a few at a time",
        )),
        _ => Absence::Init(said("")),
    })
}

/// A failure of FFmpeg to code one tiny group, though the driver, if it takes one, says that the device can.
pub(crate) fn ffmpeg(driver: &[&str], version: &str, said: &str) -> Absence {
    let reason = format!("{version} {said}");
    match driver {
        // `ENOSYS`, by which FFmpeg's nvenc refuses a driver that does not serve the version that FFmpeg was built for.
        [.., engine] if said.contains("Function not implemented") => Absence::outdated(engine, &reason),
        [.., _] if said.contains("Cannot allocate memory") => {
            Absence::Init(format!("{reason}: too many sessions are open, or the device's memory is full"))
        }
        _ => Absence::Init(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(absence: Result<(), Absence>) -> (&'static str, String) {
        match absence {
            Ok(()) => ("none", String::new()),
            Err(Absence::Library { library, reason }) => ("library", format!("{library}: {reason}")),
            Err(Absence::Device(reason)) => ("device", reason),
            Err(Absence::Init(reason)) => ("init", reason),
        }
    }

    #[test]
    fn every_code_of_cuda_is_a_reason_of_its_kind() {
        for (call, code, expected, says) in [
            ("cuInit", 0, "none", ""),
            ("cuInit", 34, "library", "stand-in"),
            ("cuInit", 803, "library", "kernel's module"),
            ("cuInit", 804, "library", "cuda-compat"),
            ("cuDevicePrimaryCtxRetain", 46, "device", "another process"),
            ("cuInit", 100, "device", "--gpus all"),
            ("cuDeviceGet", 101, "device", "device 0"),
            ("cuInit", 304, "device", "/dev/nvidia"),
            ("cuvidGetDecoderCaps", 1, "device", "no such codec"),
            ("cuvidGetDecoderCaps", 801, "device", "no such codec"),
            ("cuInit", 1, "init", "code 1"),
            ("cuDevicePrimaryCtxRetain", 2, "init", "memory"),
            ("cuInit", 802, "init", "Fabric Manager"),
            ("cuInit", 999, "init", "nvidia_uvm"),
            ("cuInit", 123_456, "init", "cuInit fails with code 123456"),
            ("cuInit", -1, "init", "code -1"),
        ] {
            let (kind, reason) = kind(cuda("libcuda.so.1", call, code));
            assert_eq!(kind, expected, "{call}, {code}: {reason}");
            assert!(reason.contains(says), "{call}, {code}: {reason}");
        }
    }

    #[test]
    fn every_code_of_nvenc_is_a_reason_of_its_kind() {
        for (call, code, expected, says) in [
            ("nvEncOpenEncodeSessionEx", 0, "none", ""),
            // What an H100 says.
            ("nvEncOpenEncodeSessionEx", 2, "device", "H100"),
            ("nvEncOpenEncodeSessionEx", 1, "device", "no NVENC"),
            ("nvEncOpenEncodeSessionEx", 10, "init", "sessions"),
            ("nvEncOpenEncodeSessionEx", 21, "init", "sessions"),
            ("nvEncOpenEncodeSessionEx", 8, "init", "code 8"),
            ("NvEncodeAPICreateInstance", 15, "library", "libnvidia-encode.so.1: NvEncodeAPICreateInstance"),
            ("nvEncGetEncodeCaps", 12, "device", "no such codec"),
            ("nvEncGetEncodeCaps", 20, "init", "code 20"),
            ("nvEncGetEncodeCaps", 777, "init", "code 777"),
        ] {
            let (kind, reason) = kind(nvenc("libnvidia-encode.so.1", call, code));
            assert_eq!(kind, expected, "{call}, {code}: {reason}");
            assert!(reason.contains(says), "{call}, {code}: {reason}");
        }
    }

    #[test]
    fn every_message_of_ffmpeg_is_a_reason_of_its_kind() {
        let nvenc: &[&str] = &["libcuda.so.1", "libnvidia-encode.so.1"];
        for (driver, said, expected, says) in [
            (nvenc, "coding 256 × 256 samples of 8 bits: Function not implemented", "library", "too old"),
            (nvenc, "coding 256 × 256 samples of 8 bits: Cannot allocate memory", "init", "sessions"),
            (nvenc, "Generic error in an external library", "init", "external library"),
            (nvenc, "what was never seen", "init", "FFmpeg 9.9 what was never seen"),
            (&[], "Function not implemented", "init", "Function not implemented"),
            (&[], "decoding a flat picture returned 0 for 77", "init", "0 for 77"),
        ] {
            let (kind, reason) = kind(Err(ffmpeg(driver, "FFmpeg 9.9", said)));
            assert_eq!(kind, expected, "{said}: {reason}");
            assert!(reason.contains(says), "{said}: {reason}");
        }
    }
}
