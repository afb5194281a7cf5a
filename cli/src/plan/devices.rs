//! `4x8GiB,1x24GB`: what devices have.

/// Bytes of each device, in order.
pub(crate) fn parse_devices(text: &str) -> Result<Vec<u64>, String> {
    let mut out = Vec::new();
    for part in text.split(',') {
        let wrong = || format!("{part:?} is not COUNTxSIZE, such as 4x8GiB or 2x24GB");
        let (count, size) = part.trim().split_once('x').ok_or_else(wrong)?;
        let count: usize = count.parse().map_err(|_| wrong())?;
        let end = size.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit) = size.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let unit = match unit {
            "GiB" => 1u64 << 30,
            "MiB" => 1 << 20,
            "GB" => 1_000_000_000,
            "MB" => 1_000_000,
            _ => return Err(format!("{unit:?} in {part:?} is no unit: GiB, MiB, GB or MB")),
        };
        #[expect(clippy::cast_precision_loss, reason = "a unit")]
        let bytes = number * unit as f64;
        if !(1.0..1e15).contains(&bytes) || !(1..=4096).contains(&count) || out.len() + count > 4096 {
            return Err(format!("{part:?}: 1 to 4096 devices of up to 1e15 bytes"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        out.extend(std::iter::repeat_n(bytes as u64, count));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_are_read() {
        assert_eq!(parse_devices("2x8GiB, 1x1.5GB").unwrap(), [8 << 30, 8 << 30, 1_500_000_000]);
        for wrong in
            ["", "8GiB", "x8GiB", "0x8GiB", "4x8", "4x8kB", "4xGiB", "4x0GiB", "9999x1GiB", "1x-1GiB"]
        {
            assert!(parse_devices(wrong).is_err(), "{wrong}");
        }
    }
}
