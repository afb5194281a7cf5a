//! The graphics card with the right queues, or which cards lack them.

use std::fmt;
use std::sync::Arc;

use ash::{Entry, vk};
use gpu_video::parameters::{VulkanAdapterDescriptor, VulkanDeviceDescriptor};
use gpu_video::{VulkanDevice, VulkanInitError, VulkanInstance};
use telecine_core::{BackendInfo, Unavailable};

/// An open device; clones share it.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) vulkan: Arc<VulkanDevice>,
    name: String,
    /// Least and most of width and height when encoding or decoding, where the device does.
    encodes: Option<Sizes>,
    decodes: Option<Sizes>,
}

type Sizes = [(u32, u32); 2];

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Device {
    /// Opens the first device with queues for what a backend does; an encoder needs those that decode, too.
    ///
    /// # Errors
    /// [`Unavailable::Library`] without a loader, [`Unavailable::Device`] with the names of all devices without such
    /// queues, [`Unavailable::Init`] for a device that does not open.
    pub(crate) fn open(info: &BackendInfo) -> Result<Self, Unavailable> {
        let backend = info.name;
        let init = |error: VulkanInitError| Unavailable::Init { backend, reason: error.to_string() };
        let instance = VulkanInstance::new().map_err(|error| match error {
            VulkanInitError::LoadingError(error) => Unavailable::Library {
                backend,
                library: "libvulkan.so.1".into(),
                reason: format!("{error}. Debian has it as libvulkan1; the card's driver brings the rest"),
            },
            error => init(error),
        })?;
        let wanted = VulkanAdapterDescriptor { supports_decoding: true, supports_encoding: info.encodes };
        let adapter = match instance.create_adapter(&wanted) {
            Ok(adapter) => adapter,
            Err(VulkanInitError::NoDevice) => return Err(lacking(info)),
            Err(error) => return Err(init(error)),
        };
        let about = adapter.info();
        let name = format!("{} ({})", about.name, about.driver_name);
        let encodes = about.encode_capabilities.h264.and_then(|h264| {
            let caps = h264.high_profile.or(h264.main_profile).or(h264.baseline_profile)?;
            Some([(caps.min_width, caps.max_width), (caps.min_height, caps.max_height)])
        });
        let decodes = about.decode_capabilities.h264.and_then(|h264| {
            let caps = h264.high_profile.or(h264.main_profile).or(h264.baseline_profile)?;
            Some([(caps.min_width, caps.max_width), (caps.min_height, caps.max_height)])
        });
        let vulkan = adapter.create_device(&VulkanDeviceDescriptor::default()).map_err(init)?;
        Ok(Self { vulkan, name, encodes, decodes })
    }

    /// The capabilities within the device's sizes.
    ///
    /// # Errors
    /// [`Unavailable::Device`] where it does not do H.264, or no size is left.
    pub(crate) fn narrow(&self, info: &BackendInfo) -> Result<BackendInfo, Unavailable> {
        let lacks = |what: &str| {
            let reason = format!("{}: {what}", self.name);
            Unavailable::Device { backend: info.name, reason }
        };
        let decodes = self.decodes.ok_or_else(|| lacks("it does not decode H.264"))?;
        let sizes = if info.encodes {
            let encodes = self.encodes.ok_or_else(|| lacks("it does not encode H.264"))?;
            [0, 1].map(|axis| (encodes[axis].0.max(decodes[axis].0), encodes[axis].1.min(decodes[axis].1)))
        } else {
            decodes
        };
        let mut narrowed = info.clone();
        let capabilities = &mut narrowed.capabilities;
        for (range, (least, most)) in
            [&mut capabilities.width, &mut capabilities.height].into_iter().zip(sizes)
        {
            *range = least.max(*range.start()).next_multiple_of(2)..=most.min(*range.end()) & !1;
            if range.is_empty() {
                return Err(lacks(&format!("sizes of {least} to {most} leave none")));
            }
        }
        Ok(narrowed)
    }
}

/// Why no device will do: their names, and what their queues have.
fn lacking(info: &BackendInfo) -> Unavailable {
    let reason = match devices() {
        Ok(devices) if devices.is_empty() => "Vulkan finds no device".to_owned(),
        Ok(devices) => format!("no queue of {} does what it takes", devices.join(", nor of ")),
        Err(error) => format!("devices cannot be listed: {error}"),
    };
    let wanted = if info.encodes { "encode and decode" } else { "decode" };
    let reason = format!("{reason}: Vulkan Video queues that {wanted} H.264");
    Unavailable::Device { backend: info.name, reason }
}

/// The name of each device with the video operations of its queues.
fn devices() -> Result<Vec<String>, String> {
    let api = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let create = vk::InstanceCreateInfo::default().application_info(&api);
    // SAFETY: the loader is the system's; the structures outlive the call, and name no layer or extension.
    let entry = unsafe { Entry::load() }.map_err(|error| error.to_string())?;
    // SAFETY: as above.
    let instance = unsafe { entry.create_instance(&create, None) }.map_err(|error| error.to_string())?;
    // SAFETY: the instance is live until it is destroyed below, and each device is one of its own.
    let found = unsafe { instance.enumerate_physical_devices() };
    let describe = |device: &vk::PhysicalDevice| {
        // SAFETY: as above.
        let (properties, queues) = unsafe {
            (
                instance.get_physical_device_properties(*device),
                instance.get_physical_device_queue_family_properties(*device),
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
    };
    let described = found.map(|devices| devices.iter().map(describe).collect());
    // SAFETY: nothing of the instance is left.
    unsafe { instance.destroy_instance(None) };
    described.map_err(|error| error.to_string())
}
