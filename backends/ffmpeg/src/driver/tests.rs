#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use super::*;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A stand-in for the driver's libraries, compiled from C: one device, an NVDEC and an NVENC with known limits.
const CUDA: &str = r#"
#include <string.h>
#ifndef INIT
#define INIT 0
#endif
int cuInit(unsigned flags) { return flags ? 1 : INIT; }
int cuDeviceGet(int *device, int index) { *device = 7; return index; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Device 7", length); return device != 7; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)0x1234; return device != 7; }
int cuDevicePrimaryCtxRelease_v2(int device) { return device != 7; }
int cuCtxPushCurrent_v2(void *context) { return context != (void *)0x1234; }
int cuCtxPopCurrent_v2(void **context) { *context = (void *)0x1234; return 0; }
"#;

/// `LIMITS` stands for the numbers that a test wants.
const CUVID: &str = r#"
struct caps { unsigned codec, chroma, depth, r1[3]; unsigned char ok, engines; unsigned short formats;
    unsigned maxw, maxh, mbs; unsigned short minw, minh; unsigned r2[11]; };
int cuvidGetDecoderCaps(struct caps *c) {
    if (c->chroma != 1) return 1;
    c->ok = c->codec == 8 && c->depth <= 2;
    c->engines = 3; c->maxw = MAXW; c->maxh = 8190; c->minw = MINW; c->minh = 144;
    return CODE;
}
"#;

const NVENC: &str = r#"
#include <string.h>
struct guid { unsigned a; unsigned short b, c; unsigned char d[8]; };
struct session { unsigned version, type; void *device, *reserved; unsigned api; };
struct cap { unsigned version, which, reserved[62]; };
struct list { unsigned version, reserved; void *functions[318]; };
static int opened;
static int open_(struct session *s, void **out) {
    *out = &opened;
    if (s->type != 1 || s->device != (void *)0x1234 || s->version != (s->api | 1u << 16 | 7u << 28)) return 8;
    opened++;
    return CODE;
}
static int get(void *session, struct guid codec, struct cap *cap, int *value) {
    if (session != &opened || codec.a != 0x790cdc88u || codec.d[7] != 3) return 12;
    switch (cap->which) {
    case 16: *value = MAXW; return 0;
    case 17: *value = 8192; return 0;
    case 39: *value = TEN; return 0;
    case 45: *value = MINW; return 0;
    case 46: *value = 64; return 0;
    case 49: *value = 2; return 0;
    }
    return 8;
}
static int destroy(void *session) { return session != &opened; }
int NvEncodeAPICreateInstance(struct list *l) {
    if (l->version != (11u | 1u << 24 | 2u << 16 | 7u << 28) && l->version != (12u | 2u << 16 | 7u << 28)) return 15;
    l->functions[7] = get; l->functions[27] = destroy; l->functions[29] = open_;
    return 0;
}
"#;

/// The kind of an absence, and its reason.
fn refused(limits: Result<Limits, Absence>) -> (&'static str, String) {
    match limits.unwrap_err() {
        Absence::Library { reason, .. } => ("library", reason),
        Absence::Device(reason) => ("device", reason),
        Absence::Init(reason) => ("init", reason),
    }
}

fn compile(folder: &Path, name: &str, source: &str, defines: &[&str]) -> String {
    let path: PathBuf = folder.join(format!("{name}.so"));
    let text = folder.join(format!("{name}.c"));
    std::fs::write(&text, source).unwrap();
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-w", "-o"])
        .arg(&path)
        .arg(&text)
        .args(defines)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_decoder_takes_what_the_driver_says() {
    let folder = tempfile::tempdir().unwrap();
    let cuda = compile(folder.path(), "cuda", CUDA, &[]);
    let cuvid = compile(folder.path(), "cuvid", CUVID, &["-DMAXW=8190", "-DMINW=144", "-DCODE=0"]);
    let limits = decoder(&cuda, &cuvid, CodecId::HEVC, 10).unwrap();
    assert_eq!(limits, Limits { width: (144, 8190), height: (144, 8190), engines: 3 });
    for (codec, depth) in [(CodecId::AV1, 8), (CodecId::HEVC, 12)] {
        let (kind, error) = refused(decoder(&cuda, &cuvid, codec, depth));
        assert!(kind == "device" && error.contains("Device 7: its NVDEC has no such codec"), "{error}");
    }
}

#[test]
fn an_encoder_takes_what_the_driver_says() {
    let folder = tempfile::tempdir().unwrap();
    let cuda = compile(folder.path(), "cuda", CUDA, &[]);
    let defines = ["-DMAXW=8192", "-DMINW=129", "-DTEN=1", "-DCODE=0"];
    let nvenc = compile(folder.path(), "nvenc", NVENC, &defines);
    let limits = encoder(&cuda, &nvenc, CodecId::HEVC, 10).unwrap();
    assert_eq!(limits, Limits { width: (129, 8192), height: (64, 8192), engines: 2 });
    for codec in [CodecId::AVC, CodecId::AV1] {
        let (kind, error) = refused(encoder(&cuda, &nvenc, codec, 8));
        assert!(kind == "device" && error.contains("Device 7") && error.contains("code 12"), "{error}");
    }
    let shallow =
        compile(folder.path(), "shallow", NVENC, &["-DMAXW=8192", "-DMINW=129", "-DTEN=0", "-DCODE=0"]);
    assert!(encoder(&cuda, &shallow, CodecId::HEVC, 8).is_ok());
    let (kind, error) = refused(encoder(&cuda, &shallow, CodecId::HEVC, 10));
    assert!(kind == "device" && error.contains("10 bits"), "{error}");
    for (code, expected, says) in [
        // What an A100 says: there is no such engine.
        ("-DCODE=2", "device", "A100"),
        ("-DCODE=10", "init", "too many sessions"),
        ("-DCODE=15", "library", "too old"),
        ("-DCODE=99", "init", "code 99"),
    ] {
        let none = compile(folder.path(), &code[1..], NVENC, &["-DMAXW=1", "-DMINW=1", "-DTEN=0", code]);
        let (kind, error) = refused(encoder(&cuda, &none, CodecId::HEVC, 8));
        assert_eq!(kind, expected, "{error}");
        assert!(error.contains("nvEncOpenEncodeSessionEx") && error.contains(says), "{error}");
    }
}

#[test]
fn numbers_that_cannot_be_and_failures_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let cuda = compile(folder.path(), "cuda", CUDA, &[]);
    for (name, defines, expected, wanted) in [
        ("zero", ["-DMAXW=0", "-DMINW=0", "-DCODE=0"], "init", "cannot be"),
        ("reversed", ["-DMAXW=64", "-DMINW=144", "-DCODE=0"], "init", "cannot be"),
        ("huge", ["-DMAXW=4000000000u", "-DMINW=144", "-DCODE=0"], "init", "cannot be"),
        ("failing", ["-DMAXW=8190", "-DMINW=144", "-DCODE=801"], "device", "code 801"),
        ("strange", ["-DMAXW=8190", "-DMINW=144", "-DCODE=4711"], "init", "code 4711"),
    ] {
        let cuvid = compile(folder.path(), name, CUVID, &defines);
        let (kind, error) = refused(decoder(&cuda, &cuvid, CodecId::HEVC, 8));
        assert_eq!(kind, expected, "{name}: {error}");
        assert!(error.contains(wanted) && error.contains("Device 7"), "{name}: {error}");
    }
    let negative = ["-DMAXW=-1", "-DMINW=1", "-DTEN=1", "-DCODE=0"];
    let nvenc = compile(folder.path(), "negative", NVENC, &negative);
    assert!(refused(encoder(&cuda, &nvenc, CodecId::HEVC, 8)).1.contains("-1"));
}

#[test]
fn libraries_and_devices_that_are_not_there_are_reasons_of_their_kind() {
    let folder = tempfile::tempdir().unwrap();
    let cuda = compile(folder.path(), "cuda", CUDA, &[]);
    let empty = compile(folder.path(), "empty", "int nothing;", &[]);
    let text = folder.path().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    let (text, nowhere) = (text.to_str().unwrap(), "/nowhere/libcuda.so.1");
    for (cuda, engine, says) in [
        (nowhere, empty.as_str(), "libcuda1"),
        (text, &empty, "libcuda1"),
        (&empty, &empty, "has no cuInit"),
        (&cuda, nowhere, "libnvcuvid1"),
    ] {
        for limits in [decoder(cuda, engine, CodecId::HEVC, 8), encoder(cuda, engine, CodecId::HEVC, 8)] {
            let (kind, error) = refused(limits);
            assert!(kind == "library" && error.contains(says), "{kind}: {error}");
        }
    }
    assert!(refused(decoder(&cuda, &empty, CodecId::HEVC, 8)).1.contains("has no cuvidGetDecoderCaps"));
    assert!(refused(encoder(&cuda, &empty, CodecId::HEVC, 8)).1.contains("has no NvEncodeAPICreateInstance"));
    for (code, expected, says) in [
        ("-DINIT=100", "device", "NO_DEVICE"),
        ("-DINIT=803", "library", "kernel"),
        ("-DINIT=999", "init", "nvidia_uvm"),
        ("-DINIT=31337", "init", "cuInit fails with code 31337"),
    ] {
        let cuda = compile(folder.path(), &code[1..], CUDA, &[code]);
        for limits in [decoder(&cuda, &empty, CodecId::AV1, 8), encoder(&cuda, &empty, CodecId::AV1, 8)] {
            let (kind, error) = refused(limits);
            assert!(kind == expected && error.contains(says), "{kind}: {error}");
        }
    }
}

/// Sizes and places as `nv-codec-headers` 11.1 have them.
#[test]
fn layouts_are_those_of_the_headers() {
    assert_eq!(size_of::<DecodeCaps>(), 88);
    assert_eq!(offset_of!(DecodeCaps, is_supported), 24);
    assert_eq!(offset_of!(DecodeCaps, max_width), 28);
    assert_eq!(offset_of!(DecodeCaps, min_width), 40);
    assert_eq!((size_of::<OpenSession>(), offset_of!(OpenSession, api_version)), (1552, 24));
    assert_eq!((size_of::<EncodeCap>(), size_of::<Functions>(), size_of::<Guid>()), (256, 2552, 16));
    for (place, bytes) in [(GET_ENCODE_CAPS, 64), (DESTROY_ENCODER, 224), (OPEN_SESSION_EX, 240)] {
        assert_eq!(8 + 8 * place, bytes);
    }
}

/// The same against the headers themselves.
#[test]
#[ignore = "needs libffmpeg-nvenc-dev: scripts/test installs it and runs this"]
fn layouts_are_those_of_the_installed_headers() {
    let source = r#"
#include <stddef.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/nvEncodeAPI.h>
#define SAME(a, b) _Static_assert((a) == (b), #a)
SAME(sizeof(CUVIDDECODECAPS), 88);
SAME(offsetof(CUVIDDECODECAPS, bIsSupported), 24);
SAME(offsetof(CUVIDDECODECAPS, nNumNVDECs), 25);
SAME(offsetof(CUVIDDECODECAPS, nMaxWidth), 28);
SAME(offsetof(CUVIDDECODECAPS, nMinWidth), 40);
SAME(cudaVideoCodec_H264, 4); SAME(cudaVideoCodec_HEVC, 8); SAME(cudaVideoChromaFormat_420, 1);
SAME(sizeof(NV_ENCODE_API_FUNCTION_LIST), 2552);
SAME(offsetof(NV_ENCODE_API_FUNCTION_LIST, nvEncGetEncodeCaps), 64);
SAME(offsetof(NV_ENCODE_API_FUNCTION_LIST, nvEncDestroyEncoder), 224);
SAME(offsetof(NV_ENCODE_API_FUNCTION_LIST, nvEncOpenEncodeSessionEx), 240);
SAME(sizeof(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS), 1552);
SAME(offsetof(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS, apiVersion), 24);
SAME(sizeof(NV_ENC_CAPS_PARAM), 256);
SAME(NV_ENC_CAPS_WIDTH_MAX, 16); SAME(NV_ENC_CAPS_HEIGHT_MAX, 17); SAME(NV_ENC_CAPS_SUPPORT_10BIT_ENCODE, 39);
SAME(NV_ENC_CAPS_WIDTH_MIN, 45); SAME(NV_ENC_CAPS_HEIGHT_MIN, 46); SAME(NV_ENC_CAPS_NUM_ENCODER_ENGINES, 49);
SAME(NV_ENC_DEVICE_TYPE_CUDA, 1);
SAME(NV_ENC_ERR_NO_ENCODE_DEVICE, 1); SAME(NV_ENC_ERR_UNSUPPORTED_DEVICE, 2); SAME(NV_ENC_ERR_DEVICE_NOT_EXIST, 5);
SAME(NV_ENC_ERR_INVALID_PARAM, 8); SAME(NV_ENC_ERR_OUT_OF_MEMORY, 10); SAME(NV_ENC_ERR_UNSUPPORTED_PARAM, 12);
SAME(NV_ENC_ERR_INVALID_VERSION, 15); SAME(NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY, 21);
int all;
"#;
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), "layouts", source, &[]);
}
