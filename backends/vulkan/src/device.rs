//! The graphics card with the right queues, or which cards lack them.

use std::fmt;
use std::sync::Arc;

use gpu_video::parameters::{VulkanAdapterDescriptor, VulkanDeviceDescriptor};
use gpu_video::{VulkanDevice, VulkanInitError, VulkanInstance};
use telecine_core::{BackendInfo, Unavailable};

use crate::survey::{self, Absence, LOADER, Step};

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
    /// [`Unavailable::Library`] without a usable loader, [`Unavailable::Device`] without a driver, or with the names of all
    /// devices without such queues, [`Unavailable::Init`] for a device that does not open.
    pub(crate) fn open(info: &BackendInfo) -> Result<Self, Unavailable> {
        let absence = Absence(info);
        let devices = survey::devices(absence, LOADER)?;
        let instance = VulkanInstance::new().map_err(|error| absence.init(Step::Instance, error))?;
        let wanted = VulkanAdapterDescriptor { supports_decoding: true, supports_encoding: info.encodes };
        let adapter = instance.create_adapter(&wanted).map_err(|error| match error {
            VulkanInitError::NoDevice => {
                absence.device(format!("no queue of {} does what it takes", devices.join(", nor of ")))
            }
            error => absence.init(Step::Devices, error),
        })?;
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
        let vulkan = adapter.create_device(&VulkanDeviceDescriptor::default());
        let vulkan = vulkan.map_err(|error| absence.init(Step::Open, error))?;
        Ok(Self { vulkan, name, encodes, decodes })
    }

    /// The capabilities within the device's sizes.
    ///
    /// # Errors
    /// [`Unavailable::Device`] where it does not do H.264, or no size is left.
    pub(crate) fn narrow(&self, info: &BackendInfo) -> Result<BackendInfo, Unavailable> {
        let lacks = |what: &str| Absence(info).device(format!("{}: {what}", self.name));
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
