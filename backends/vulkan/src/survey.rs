//! The Vulkan loader and the devices behind it, and which [`Unavailable`] each way of failing is.

use std::ffi::CStr;

use ash::{Entry, LoadingError, vk};
use gpu_video::VulkanInitError;
use telecine_core::{BackendInfo, Unavailable};

/// The file of the Vulkan loader.
pub(crate) const LOADER: &str = if cfg!(windows) { "vulkan-1.dll" } else { "libvulkan.so.1" };

/// Functions that a loader of Vulkan 1.1 or newer has before there is an instance; `ash` panics on calling one that is
/// not there.
const FUNCTIONS: [&CStr; 4] = [
    c"vkCreateInstance",
    c"vkEnumerateInstanceExtensionProperties",
    c"vkEnumerateInstanceLayerProperties",
    c"vkEnumerateInstanceVersion",
];

const LOADER_REMEDY: &str = "Debian has the loader as libvulkan1; the card's driver brings the rest";
const DRIVER_REMEDY: &str = "Debian has drivers as mesa-vulkan-drivers (Intel, AMD) and nvidia-vulkan-icd (NVIDIA, non-free); in \
     a container, the driver's file in /usr/share/vulkan/icd.d, its libraries and the nodes in /dev must be passed in";

/// The steps at which Vulkan can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `vkCreateInstance`, which loads the drivers.
    Instance,
    /// `vkEnumeratePhysicalDevices`.
    Devices,
    /// `vkCreateDevice` and what is asked of the device.
    Open,
}

/// A backend with nothing open yet: its failures become reasons here.
#[derive(Clone, Copy)]
pub(crate) struct Absence<'i>(pub(crate) &'i BackendInfo);

impl Absence<'_> {
    /// [`Unavailable::Library`]: the loader is missing, damaged or too old.
    pub(crate) fn loader(self, reason: impl std::fmt::Display) -> Unavailable {
        let reason = format!("{reason}. {LOADER_REMEDY}");
        Unavailable::Library { backend: self.0.name, library: LOADER.into(), reason }
    }

    /// [`Unavailable::Device`], with what the backend needs of one.
    pub(crate) fn device(self, reason: impl std::fmt::Display) -> Unavailable {
        let wanted = if self.0.encodes { "encode and decode" } else { "decode" };
        let reason = format!("looked for Vulkan Video queues that {wanted} H.264: {reason}");
        Unavailable::Device { backend: self.0.name, reason }
    }

    /// [`Unavailable::Init`]: loader and device are there.
    pub(crate) fn start(self, reason: impl std::fmt::Display) -> Unavailable {
        Unavailable::Init { backend: self.0.name, reason: reason.to_string() }
    }

    /// The reason that a code of Vulkan stands for at a step; [`Unavailable::Init`] for codes of no known meaning there.
    pub(crate) fn refused(self, step: Step, code: vk::Result) -> Unavailable {
        let said = format!("{code:?}, {code}");
        match (step, code) {
            (Step::Instance | Step::Devices, vk::Result::ERROR_INCOMPATIBLE_DRIVER) => {
                self.device(format!("the loader finds no driver ({said}). {DRIVER_REMEDY}"))
            }
            (Step::Instance | Step::Devices, vk::Result::ERROR_INITIALIZATION_FAILED) => {
                self.device(format!("the driver finds no device that it can use ({said}). {DRIVER_REMEDY}"))
            }
            (Step::Instance, vk::Result::ERROR_EXTENSION_NOT_PRESENT) => {
                self.loader(format!("the loader is too old, it has not VK_EXT_debug_utils ({said})"))
            }
            (_, vk::Result::ERROR_DEVICE_LOST) => self.device(format!("the device is lost ({said})")),
            (
                Step::Open,
                vk::Result::ERROR_INCOMPATIBLE_DRIVER
                | vk::Result::ERROR_EXTENSION_NOT_PRESENT
                | vk::Result::ERROR_FEATURE_NOT_PRESENT
                | vk::Result::ERROR_FORMAT_NOT_SUPPORTED
                | vk::Result::ERROR_VIDEO_PICTURE_LAYOUT_NOT_SUPPORTED_KHR
                | vk::Result::ERROR_VIDEO_PROFILE_OPERATION_NOT_SUPPORTED_KHR
                | vk::Result::ERROR_VIDEO_PROFILE_FORMAT_NOT_SUPPORTED_KHR
                | vk::Result::ERROR_VIDEO_PROFILE_CODEC_NOT_SUPPORTED_KHR,
            ) => self.device(format!("the device or its driver lacks what it takes ({said})")),
            (Step::Instance, _) => self.start(format!("vkCreateInstance: {said}")),
            (Step::Devices, _) => self.start(format!("vkEnumeratePhysicalDevices: {said}")),
            (Step::Open, _) => self.start(format!("opening the device: {said}")),
        }
    }

    /// The reason that an error of `gpu-video` stands for.
    pub(crate) fn init(self, step: Step, error: VulkanInitError) -> Unavailable {
        match error {
            VulkanInitError::LoadingError(error) => self.loader(error),
            VulkanInitError::VkError(code) => self.refused(step, code),
            VulkanInitError::NoDevice | VulkanInitError::NoNV12ProfileSupport => self.device(error),
            error => self.start(error),
        }
    }
}

/// The name of each device with the video operations of its queues; none of it is kept open.
///
/// # Errors
/// [`Unavailable::Library`] without a usable loader, [`Unavailable::Device`] without a driver or a device, and
/// [`Unavailable::Init`] for other failures.
pub(crate) fn devices(absence: Absence<'_>, loader: &str) -> Result<Vec<String>, Unavailable> {
    // SAFETY: a Vulkan loader, made to be loaded so.
    let entry = match unsafe { Entry::load_from(loader) } {
        Ok(entry) => entry,
        Err(LoadingError::LibraryLoadFailure(error)) => return Err(absence.loader(error)),
        Err(LoadingError::MissingEntryPoint(error)) => return Err(absence.loader(error)),
    };
    for name in FUNCTIONS {
        // SAFETY: without an instance the loader answers for its own functions.
        if unsafe { entry.get_instance_proc_addr(vk::Instance::null(), name.as_ptr()) }.is_none() {
            return Err(
                absence.loader(format!("the loader is too old, it has no {}", name.to_string_lossy()))
            );
        }
    }
    let api = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let create = vk::InstanceCreateInfo::default().application_info(&api);
    // SAFETY: the structures outlive the call, and name no layer or extension.
    let instance = unsafe { entry.create_instance(&create, None) }
        .map_err(|code| absence.refused(Step::Instance, code))?;
    // SAFETY: the instance is live until it is destroyed below, and each device is one of its own.
    let found = unsafe { instance.enumerate_physical_devices() };
    let described = found.map(|devices| devices.iter().map(|device| describe(&instance, *device)).collect());
    // SAFETY: nothing of the instance is left.
    unsafe { instance.destroy_instance(None) };
    let described: Vec<String> = described.map_err(|code| absence.refused(Step::Devices, code))?;
    match described.is_empty() {
        true => Err(absence.device(format!("Vulkan finds no device. {DRIVER_REMEDY}"))),
        false => Ok(described),
    }
}

fn describe(instance: &ash::Instance, device: vk::PhysicalDevice) -> String {
    // SAFETY: the caller keeps the instance, whose device it is.
    let (properties, queues) = unsafe {
        (
            instance.get_physical_device_properties(device),
            instance.get_physical_device_queue_family_properties(device),
        )
    };
    let name = properties.device_name_as_c_str().map(|name| name.to_string_lossy().into_owned());
    let all = queues.iter().fold(vk::QueueFlags::empty(), |all, queue| all | queue.queue_flags);
    let mut does = Vec::new();
    for (flag, what) in [
        (vk::QueueFlags::VIDEO_DECODE_KHR, "decodes video"),
        (vk::QueueFlags::VIDEO_ENCODE_KHR, "encodes video"),
    ] {
        if all.contains(flag) {
            does.push(what)
        }
    }
    let does = if does.is_empty() { "has no video queue".to_owned() } else { does.join(", ") };
    format!("{} ({does})", name.as_deref().unwrap_or("a device without a name"))
}

#[cfg(test)]
mod tests;
