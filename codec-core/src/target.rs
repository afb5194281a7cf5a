//! What the caller wants of an encoding, and what came of it.

use std::fmt;

use crate::{Error, Result};

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// At most this many bits per value, all bytes counted; what takes fewer without loss is lossless.
    Bits(f64),
    /// Normalised mean squared error, `Σ(x−x̂)² / Σx²` over the finite values, at most this.
    Nmse(f64),
    /// An absolute error of at most this on every value, in the tensor's units.
    MaxAbs(f64),
    /// A fixed quantiser step in the tensor's units: mean squared error about `step² / 12`.
    Step(f64),
    /// At most this many bytes: packets and side information of all chunks together.
    Bytes(u64),
    /// Every value bit-exact.
    Lossless,
}

impl Target {
    /// Checks the number that comes with the target.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless it is finite and above 0 (a maximum error of 0 means lossless and is allowed), and for 0
    /// bytes.
    pub fn check(&self) -> Result<()> {
        let (name, value) = match *self {
            Self::Bits(value) => ("bits", value),
            Self::Nmse(value) => ("nmse", value),
            Self::MaxAbs(0.0) | Self::Lossless | Self::Bytes(1..) => return Ok(()),
            Self::Bytes(0) => ("bytes", 0.0),
            Self::MaxAbs(value) => ("max-abs", value),
            Self::Step(value) => ("step", value),
        };
        if value.is_finite() && value > 0.0 {
            return Ok(());
        }
        Err(Error::invalid(format!("target {name}={value} is not a finite number above 0")))
    }

    /// Reads what [`Display`](fmt::Display) writes: `bits=3`, `nmse=0.01`, `max-abs=1e-3`, `step=0.5`,
    /// `bytes=4096`, `lossless`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "target {text:?} is none of bits=B, nmse=E, max-abs=E, step=S, bytes=N, lossless (numbers above 0)"
            ))
        };
        if text == "lossless" {
            return Ok(Self::Lossless);
        }
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let value = value.trim();
        let number = || value.parse::<f64>().map_err(|_| wrong());
        let target = match name.trim() {
            "bits" => Self::Bits(number()?),
            "nmse" => Self::Nmse(number()?),
            "max-abs" => Self::MaxAbs(number()?),
            "step" => Self::Step(number()?),
            "bytes" => Self::Bytes(value.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        };
        target.check()?;
        Ok(target)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bits(value) => write!(f, "bits={value}"),
            Self::Nmse(value) => write!(f, "nmse={value}"),
            Self::MaxAbs(value) => write!(f, "max-abs={value}"),
            Self::Step(value) => write!(f, "step={value}"),
            Self::Bytes(bytes) => write!(f, "bytes={bytes}"),
            Self::Lossless => f.write_str("lossless"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_read_back_as_written() {
        for target in [
            Target::Bits(2.88),
            Target::Nmse(1e-7),
            Target::MaxAbs(0.5),
            Target::Step(3.0),
            Target::Bytes(u64::MAX),
            Target::Lossless,
        ] {
            assert_eq!(Target::parse(&target.to_string()).unwrap(), target);
        }
        for wrong in [
            "",
            "bits",
            "bits=",
            "bits=-1",
            "bits=nan",
            "nmse=0",
            "step=inf",
            "loss",
            "psnr=3",
            "bytes=0",
            "bytes=1.5",
            "bytes=-1",
        ] {
            assert!(matches!(Target::parse(wrong), Err(Error::Invalid(_))), "{wrong}");
        }
    }
}
