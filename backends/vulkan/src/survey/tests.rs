//! Each way in which a loader, a driver or a device can be absent, with its kind of reason.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::path::Path;
use std::process::Command;

use super::*;
use crate::{DECODER, ENCODER};

/// The kind of a reason, by name.
fn kind(reason: &Unavailable) -> &'static str {
    match reason {
        Unavailable::Library { .. } => "library",
        Unavailable::Device { .. } => "device",
        Unavailable::Init { .. } => "init",
        _ => "other",
    }
}

#[test]
fn every_code_of_vulkan_is_a_reason_of_its_kind() {
    use vk::Result as Code;
    for (step, code, expected, says) in [
        // What the loader of Debian 12 says without a driver.
        (Step::Instance, Code::ERROR_INCOMPATIBLE_DRIVER, "device", "finds no driver"),
        (Step::Instance, Code::ERROR_INITIALIZATION_FAILED, "device", "finds no device"),
        (Step::Instance, Code::ERROR_EXTENSION_NOT_PRESENT, "library", "too old"),
        (Step::Instance, Code::ERROR_LAYER_NOT_PRESENT, "init", "Layer specified does not exist"),
        (Step::Instance, Code::ERROR_OUT_OF_HOST_MEMORY, "init", "memory"),
        (Step::Instance, Code::from_raw(-1_000_900_000), "init", "-1000900000"),
        // What NVIDIA's driver says in a container without a device.
        (Step::Devices, Code::ERROR_INITIALIZATION_FAILED, "device", "mesa-vulkan-drivers"),
        (Step::Devices, Code::ERROR_DEVICE_LOST, "device", "lost"),
        (Step::Devices, Code::ERROR_UNKNOWN, "init", "unknown error"),
        (Step::Open, Code::ERROR_FEATURE_NOT_PRESENT, "device", "lacks"),
        (Step::Open, Code::ERROR_EXTENSION_NOT_PRESENT, "device", "lacks"),
        (Step::Open, Code::ERROR_VIDEO_PROFILE_CODEC_NOT_SUPPORTED_KHR, "device", "lacks"),
        (Step::Open, Code::ERROR_INITIALIZATION_FAILED, "init", "opening the device"),
        (Step::Open, Code::ERROR_TOO_MANY_OBJECTS, "init", "TOO_MANY_OBJECTS"),
        (Step::Open, Code::ERROR_OUT_OF_DEVICE_MEMORY, "init", "device memory"),
    ] {
        for info in [&ENCODER, &DECODER] {
            let reason = Absence(info).refused(step, code);
            assert_eq!(kind(&reason), expected, "{step:?}, {code:?}: {reason}");
            assert!(reason.to_string().contains(says), "{step:?}, {code:?}: {reason}");
        }
    }
}

#[test]
fn every_error_of_gpu_video_is_a_reason_of_its_kind() {
    let absence = Absence(&DECODER);
    let unterminated = CStr::from_bytes_until_nul(b"no end").unwrap_err();
    for (error, expected) in [
        (VulkanInitError::NoDevice, "device"),
        (VulkanInitError::NoNV12ProfileSupport, "device"),
        (VulkanInitError::StringConversionError(unterminated), "init"),
        (VulkanInitError::VkError(vk::Result::ERROR_INCOMPATIBLE_DRIVER), "device"),
    ] {
        let said = error.to_string();
        let reason = absence.init(Step::Instance, error);
        assert_eq!(kind(&reason), expected, "{said}: {reason}");
    }
}

/// A stand-in for the loader: what it lacks and answers is defined when it is compiled.
const STUB: &str = r#"
#include <string.h>
#include <stdint.h>
typedef void (*fn)(void);
#ifndef CREATE
#define CREATE 0
#endif
#ifndef DEVICES
#define DEVICES 0
#endif
static int dummy;
static int version(uint32_t *v) { *v = 4206592; return 0; }
static int properties(const char *layer, uint32_t *count, void *p) { *count = 0; return 0; }
static int layers(uint32_t *count, void *p) { *count = 0; return 0; }
static int create(const void *info, const void *allocator, void **instance) { *instance = &dummy; return CREATE; }
static void destroy(void *instance, const void *allocator) {}
static int devices(void *instance, uint32_t *count, void *p) { *count = 0; return DEVICES; }
fn vkGetInstanceProcAddr(void *instance, const char *name) {
#ifdef LACKS
    if (!strcmp(name, LACKS)) return 0;
#endif
    if (!strcmp(name, "vkEnumerateInstanceVersion")) return (fn)version;
    if (!strcmp(name, "vkEnumerateInstanceExtensionProperties")) return (fn)properties;
    if (!strcmp(name, "vkEnumerateInstanceLayerProperties")) return (fn)layers;
    if (!strcmp(name, "vkCreateInstance")) return (fn)create;
    if (!strcmp(name, "vkDestroyInstance")) return (fn)destroy;
    if (!strcmp(name, "vkEnumeratePhysicalDevices")) return (fn)devices;
    return 0;
}
"#;

fn compile(folder: &Path, source: &str, defines: &[&str]) -> String {
    let (text, library) = (folder.join("stub.c"), folder.join("stub.so"));
    std::fs::write(&text, source).unwrap();
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).arg(&text).args(defines);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library.to_str().unwrap().to_owned()
}

#[test]
fn loaders_of_every_kind_are_reasons_and_no_panics() {
    let absence = Absence(&ENCODER);
    let folder = tempfile::tempdir().unwrap();
    let not_a_library = folder.path().join("text.so");
    std::fs::write(&not_a_library, "no library").unwrap();
    for (loader, says) in
        [("libvulkan-of-nowhere.so.1", "cannot open"), (not_a_library.to_str().unwrap(), "")]
    {
        let reason = devices(absence, loader).unwrap_err();
        assert_eq!(kind(&reason), "library", "{reason}");
        assert!(reason.to_string().contains(says) && reason.to_string().contains("libvulkan1"), "{reason}");
    }
    for (source, defines, expected, says) in [
        ("int nothing;", &[][..], "library", "libvulkan1"),
        (STUB, &["-DLACKS=\"vkCreateInstance\""], "library", "too old, it has no vkCreateInstance"),
        (STUB, &["-DLACKS=\"vkEnumerateInstanceVersion\""], "library", "vkEnumerateInstanceVersion"),
        (STUB, &["-DCREATE=-9"], "device", "finds no driver"),
        (STUB, &["-DCREATE=-3"], "device", "ERROR_INITIALIZATION_FAILED"),
        (STUB, &["-DCREATE=-777"], "init", "-777"),
        (STUB, &["-DDEVICES=-3"], "device", "finds no device"),
        (STUB, &["-DDEVICES=-13"], "init", "vkEnumeratePhysicalDevices"),
        (STUB, &[], "device", "Vulkan finds no device"),
    ] {
        // A folder for each: a library is loaded once by its path.
        let folder = tempfile::tempdir().unwrap();
        let reason = devices(absence, &compile(folder.path(), source, defines)).unwrap_err();
        assert_eq!(kind(&reason), expected, "{defines:?}: {reason}");
        assert!(reason.to_string().contains(says), "{defines:?}: {reason}");
    }
}
