//! What NVIDIA's driver says of its engines: `cuvidGetDecoderCaps` and `nvEncGetEncodeCaps`.
//!
//! Layouts and numbers are those of NVIDIA's Video Codec SDK as nv-codec-headers publish them (MIT): versions 11.1 and,
//! for AV1, 12.0, which newer drivers go on serving. The tests hold them against these headers where they are installed.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;

use libloading::{Library, Symbol};
use telecine_core::CodecId;

use crate::absence::{self, Absence};

/// Sizes that an engine takes, in samples, and how many engines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) width: (u32, u32),
    pub(crate) height: (u32, u32),
    pub(crate) engines: u32,
}

impl Limits {
    /// # Errors
    /// [`Absence::Init`] for numbers that cannot be: no size at all, or a least above the most.
    fn checked(self, device: &str) -> Result<Self, Absence> {
        let fits = |(least, most): (u32, u32)| least <= most && most > 0 && most <= 1 << 16;
        if fits(self.width) && fits(self.height) {
            return Ok(self);
        }
        Err(Absence::Init(format!("{device}: the driver says that sizes are {self:?}, which cannot be")))
    }
}

/// The first device, its context current on this thread until this is dropped.
struct Device {
    cuda: Shared,
    device: c_int,
    context: *mut c_void,
    name: String,
}

type Init = unsafe extern "C" fn(c_uint) -> c_int;
type DeviceGet = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
type DeviceName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
type Retain = unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int;
type Release = unsafe extern "C" fn(c_int) -> c_int;
type Push = unsafe extern "C" fn(*mut c_void) -> c_int;
type Pop = unsafe extern "C" fn(*mut *mut c_void) -> c_int;

/// A shared library of the driver, with the name that it was loaded by.
pub(crate) struct Shared {
    library: Library,
    file: String,
}

impl Shared {
    /// # Errors
    /// [`Absence::Library`]: it is missing or damaged.
    pub(crate) fn load(file: &str) -> Result<Self, Absence> {
        // SAFETY: these are NVIDIA's own libraries, made to be loaded so.
        match unsafe { Library::new(file) } {
            Ok(library) => Ok(Self { library, file: file.into() }),
            Err(error) => Err(Absence::missing(file, &error.to_string())),
        }
    }

    /// A function of it.
    ///
    /// # Errors
    /// [`Absence::Library`]: it lacks the function, so it is too old.
    ///
    /// # Safety
    /// `T` is the type of the function.
    unsafe fn function<T>(&self, name: &str) -> Result<Symbol<'_, T>, Absence> {
        // SAFETY: the caller answers for the type.
        let found = unsafe { self.library.get(name.as_bytes()) };
        found.map_err(|error| Absence::outdated(&self.file, &format!("the driver has no {name}: {error}")))
    }
}

impl Device {
    fn open(cuda: &str) -> Result<Self, Absence> {
        let cuda = Shared::load(cuda)?;
        let check = |code, call| absence::cuda(&cuda.file, call, code);
        let (mut device, mut context, mut name) = (0, null_mut(), [0 as c_char; 128]);
        // SAFETY: types of the driver API since CUDA 7.0; every pointer is to a variable that outlives its call, and the
        // name's length is given.
        unsafe {
            check(cuda.function::<Init>("cuInit")?(0), "cuInit")?;
            check(cuda.function::<DeviceGet>("cuDeviceGet")?(&raw mut device, 0), "cuDeviceGet")?;
            let get_name = cuda.function::<DeviceName>("cuDeviceGetName")?;
            check(get_name(name.as_mut_ptr(), 127, device), "cuDeviceGetName")?;
            let retain = cuda.function::<Retain>("cuDevicePrimaryCtxRetain")?;
            check(retain(&raw mut context, device), "cuDevicePrimaryCtxRetain")?;
            check(cuda.function::<Push>("cuCtxPushCurrent_v2")?(context), "cuCtxPushCurrent")?;
        }
        // SAFETY: of its 128 bytes the last is 0, as the driver was told of 127.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        Ok(Self { cuda, device, context, name })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let mut popped = null_mut();
        // SAFETY: as in `open`, which pushed and retained it once.
        unsafe {
            if let Ok(pop) = self.cuda.function::<Pop>("cuCtxPopCurrent_v2") {
                pop(&raw mut popped);
            }
            if let Ok(release) = self.cuda.function::<Release>("cuDevicePrimaryCtxRelease_v2") {
                release(self.device);
            }
        }
    }
}

/// `CUVIDDECODECAPS`.
#[repr(C)]
#[derive(Debug, Default)]
struct DecodeCaps {
    codec: c_uint,
    chroma_format: c_uint,
    depth_minus_8: c_uint,
    reserved1: [c_uint; 3],
    is_supported: u8,
    engines: u8,
    output_formats: u16,
    max_width: c_uint,
    max_height: c_uint,
    max_macroblocks: c_uint,
    min_width: u16,
    min_height: u16,
    reserved2: [c_uint; 11],
}

/// `cudaVideoCodec`.
fn cuvid_codec(codec: CodecId) -> c_uint {
    match codec {
        CodecId::AVC => 4,
        CodecId::HEVC => 8,
        _ => 11,
    }
}

/// What NVDEC takes of a codec in 4:2:0 at a depth.
///
/// # Errors
/// Why nothing, the device named.
pub(crate) fn decoder(cuda: &str, cuvid: &str, codec: CodecId, depth: u8) -> Result<Limits, Absence> {
    type GetCaps = unsafe extern "C" fn(*mut DecodeCaps) -> c_int;
    let device = Device::open(cuda)?;
    let cuvid = Shared::load(cuvid)?;
    let (codec, depth_minus_8) = (cuvid_codec(codec), c_uint::from(depth.saturating_sub(8)));
    let mut caps = DecodeCaps { codec, chroma_format: 1, depth_minus_8, ..DecodeCaps::default() };
    // SAFETY: the layout is that of `CUVIDDECODECAPS`, and a context is current.
    let code = unsafe { cuvid.function::<GetCaps>("cuvidGetDecoderCaps")?(&raw mut caps) };
    absence::cuda(&cuvid.file, "cuvidGetDecoderCaps", code).map_err(|absence| absence.about(&device.name))?;
    if caps.is_supported == 0 {
        let reason = format!("{}: its NVDEC has no such codec at {depth} bits in 4:2:0", device.name);
        return Err(Absence::Device(reason));
    }
    let width = (u32::from(caps.min_width), caps.max_width);
    let height = (u32::from(caps.min_height), caps.max_height);
    Limits { width, height, engines: u32::from(caps.engines) }.checked(&device.name)
}

/// `GUID`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Guid(u32, u16, u16, [u8; 8]);

/// `NV_ENC_CODEC_H264_GUID`, `NV_ENC_CODEC_HEVC_GUID`, `NV_ENC_CODEC_AV1_GUID`.
fn nvenc_codec(codec: CodecId) -> Guid {
    match codec {
        CodecId::AVC => Guid(0x6bc8_2762, 0x4e63, 0x4ca4, [0xaa, 0x85, 0x1e, 0x50, 0xf3, 0x21, 0xf6, 0xbf]),
        CodecId::HEVC => Guid(0x790c_dc88, 0x4522, 0x4d7b, [0x94, 0x25, 0xbd, 0xa9, 0x97, 0x5f, 0x76, 0x03]),
        _ => Guid(0x0a35_2289, 0x0aa7, 0x4759, [0x86, 0x2d, 0x5d, 0x15, 0xcd, 0x16, 0xd2, 0x54]),
    }
}

/// `NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS`.
#[repr(C)]
struct OpenSession {
    version: u32,
    device_type: u32,
    device: *mut c_void,
    reserved: *mut c_void,
    api_version: u32,
    reserved1: [u32; 253],
    reserved2: [*mut c_void; 64],
}

/// `NV_ENC_CAPS_PARAM`.
#[repr(C)]
struct EncodeCap {
    version: u32,
    which: u32,
    reserved: [u32; 62],
}

/// `NV_ENCODE_API_FUNCTION_LIST`: pointers to functions, of which three are called.
#[repr(C)]
struct Functions {
    version: u32,
    reserved: u32,
    functions: [*mut c_void; 318],
}

type OpenSessionEx = unsafe extern "C" fn(*mut OpenSession, *mut *mut c_void) -> c_int;
type GetEncodeCaps = unsafe extern "C" fn(*mut c_void, Guid, *mut EncodeCap, *mut c_int) -> c_int;
type DestroyEncoder = unsafe extern "C" fn(*mut c_void) -> c_int;

/// Places of the functions in the list.
const GET_ENCODE_CAPS: usize = 7;
const DESTROY_ENCODER: usize = 27;
const OPEN_SESSION_EX: usize = 29;
/// `NV_ENC_CAPS`.
const WIDTH_MAX: u32 = 16;
const HEIGHT_MAX: u32 = 17;
const TEN_BITS: u32 = 39;
const WIDTH_MIN: u32 = 45;
const HEIGHT_MIN: u32 = 46;
const ENGINES: u32 = 49;

/// What NVENC takes of a codec at a depth.
///
/// # Errors
/// Why nothing, the device named.
pub(crate) fn encoder(cuda: &str, nvenc: &str, codec: CodecId, depth: u8) -> Result<Limits, Absence> {
    type CreateInstance = unsafe extern "C" fn(*mut Functions) -> c_int;
    let device = Device::open(cuda)?;
    let nvenc = Shared::load(nvenc)?;
    let about = |absence: Absence| absence.about(&device.name);
    let check = |code, call| absence::nvenc(&nvenc.file, call, code);
    let api = if codec == CodecId::AV1 { 12 } else { 11 | 1 << 24 };
    let version = |of: u32| api | of << 16 | 7 << 28;
    let mut list = Functions { version: version(2), reserved: 0, functions: [null_mut(); 318] };
    // SAFETY: the list has the layout and size of `NV_ENCODE_API_FUNCTION_LIST`.
    let code = unsafe { nvenc.function::<CreateInstance>("NvEncodeAPICreateInstance")?(&raw mut list) };
    check(code, "NvEncodeAPICreateInstance").map_err(about)?;
    let places = [OPEN_SESSION_EX, GET_ENCODE_CAPS, DESTROY_ENCODER];
    if places.iter().any(|place| list.functions[*place].is_null()) {
        return Err(Absence::outdated(&nvenc.file, "its list of functions has gaps"));
    }
    // SAFETY: the driver put these functions there, at the places of its header; none is null.
    let (open, get, destroy) = unsafe {
        (
            std::mem::transmute::<*mut c_void, OpenSessionEx>(list.functions[OPEN_SESSION_EX]),
            std::mem::transmute::<*mut c_void, GetEncodeCaps>(list.functions[GET_ENCODE_CAPS]),
            std::mem::transmute::<*mut c_void, DestroyEncoder>(list.functions[DESTROY_ENCODER]),
        )
    };
    let mut session = null_mut();
    let mut parameters = OpenSession {
        version: version(1),
        device_type: 1,
        device: device.context,
        reserved: null_mut(),
        api_version: api,
        reserved1: [0; 253],
        reserved2: [null_mut(); 64],
    };
    // SAFETY: the layout is the header's, and the context is current.
    let code = unsafe { open(&raw mut parameters, &raw mut session) };
    let opened = check(code, "nvEncOpenEncodeSessionEx");
    let query = |which: u32| -> Result<u32, Absence> {
        let (mut cap, mut value) = (EncodeCap { version: version(1), which, reserved: [0; 62] }, 0);
        // SAFETY: the session is open, and the layouts are the header's.
        let code = unsafe { get(session, nvenc_codec(codec), &raw mut cap, &raw mut value) };
        check(code, "nvEncGetEncodeCaps")?;
        let odd = |_| Absence::Init(format!("the driver says {value} of capability {which}"));
        u32::try_from(value).map_err(odd)
    };
    let limits = || -> Result<Limits, Absence> {
        opened.clone()?;
        if depth > 8 && query(TEN_BITS)? == 0 {
            return Err(Absence::Device(format!("its NVENC has not {depth} bits for this codec")));
        }
        let width = (query(WIDTH_MIN)?, query(WIDTH_MAX)?);
        let height = (query(HEIGHT_MIN)?, query(HEIGHT_MAX)?);
        // Older drivers do not know how many there are.
        let engines = query(ENGINES).unwrap_or(1);
        Ok(Limits { width, height, engines })
    };
    let limits = limits();
    if !session.is_null() {
        // SAFETY: a session that failed to open has to be closed, too, as its documentation says.
        unsafe { destroy(session) };
    }
    limits.map_err(about)?.checked(&device.name)
}

#[cfg(test)]
mod tests;
