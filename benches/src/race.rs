//! Coders that run in turns, so that a noisy machine treats them alike.

use std::time::Instant;

use serde_json::{Value, json};

/// What goes wrong in a measuring program.
pub type Fault = Box<dyn std::error::Error>;

/// One way to make a tensor small and to get it back, with the tensor inside.
pub trait Coder {
    /// Codes the tensor into a buffer of its own.
    ///
    /// # Errors
    /// Those of the coder.
    fn encode(&mut self) -> Result<(), Fault>;

    /// Decodes what [`encode`](Coder::encode) left into a buffer of its own.
    ///
    /// # Errors
    /// Those of the coder.
    fn decode(&mut self) -> Result<(), Fault>;

    /// Fails where what came back is not what the coder promises.
    ///
    /// # Errors
    /// The promise and what came instead, in words.
    fn check(&self) -> Result<(), Fault>;

    /// Bytes of the coded tensor.
    fn packed(&self) -> usize;
}

/// A coder and how fast it was.
pub struct Entrant<'a> {
    name: String,
    /// Bytes of one value as it goes in and comes out.
    width: usize,
    coder: Box<dyn Coder + 'a>,
    decode: f64,
    encode: f64,
}

/// Some coders of one tensor. The first is `memcpy`, and one is called [`ZSTD`]: the others are measured by these two.
pub struct Race<'a> {
    source: String,
    values: usize,
    /// What the names of all but those two have in them.
    only: String,
    entrants: Vec<Entrant<'a>>,
}

/// The coder that speeds are compared with.
pub const ZSTD: &str = "zstd -1 of the f32 tensor";

impl<'a> Race<'a> {
    /// A race on the tensor `source` of this many values, among the coders with `only` in their names.
    #[must_use]
    pub fn new(source: &str, values: usize, only: &str) -> Self {
        Self { source: source.into(), values, only: only.into(), entrants: Vec::new() }
    }

    /// Adds a coder after checking its round trip, unless it is left out.
    ///
    /// # Errors
    /// Those of the coder, with its name.
    pub fn enter(&mut self, name: &str, width: usize, mut coder: impl Coder + 'a) -> Result<(), Fault> {
        if !(self.entrants.is_empty() || name == ZSTD || name.contains(&self.only)) {
            return Ok(());
        }
        let mut trial = || coder.encode().and_then(|()| coder.decode()).and_then(|()| coder.check());
        trial().map_err(|error| format!("{name}: {error}"))?;
        let (name, coder) = (name.to_string(), Box::new(coder));
        self.entrants.push(Entrant { name, width, coder, decode: f64::INFINITY, encode: f64::INFINITY });
        Ok(())
    }

    /// Lets all coders run in turns, `runs` times, and keeps the fastest time of each.
    ///
    /// # Errors
    /// Those of the coders.
    pub fn run(&mut self, runs: usize) -> Result<(), Fault> {
        for _ in 0..runs {
            for Entrant { coder, decode, encode, .. } in &mut self.entrants {
                // The coder before has taken the cache.
                coder.decode()?;
                let start = Instant::now();
                coder.encode()?;
                *encode = encode.min(start.elapsed().as_secs_f64());
                let start = Instant::now();
                coder.decode()?;
                *decode = decode.min(start.elapsed().as_secs_f64());
            }
        }
        Ok(())
    }

    /// Prints the table, and how much faster two threads were than one.
    pub fn print(&self) {
        println!("\n{}, {} values", self.source, self.values);
        println!(
            "{:<48} {:>7} | {:>8} {:>6} {:>7} {:>7} | {:>8} {:>6} {:>7} {:>7}",
            "", "bits", "dec M/s", "GB/s", "x zstd", "x copy", "enc M/s", "GB/s", "x zstd", "x copy"
        );
        for entrant in &self.entrants {
            let [d, e] = self.speeds(entrant);
            println!(
                "{:<48} {:>7.3} | {:>8.1} {:>6.2} {:>7.2} {:>7.3} | {:>8.1} {:>6.2} {:>7.2} {:>7.3}",
                entrant.name,
                self.bits(entrant),
                d.values / 1e6,
                d.bytes / 1e9,
                d.by_zstd,
                d.by_copy,
                e.values / 1e6,
                e.bytes / 1e9,
                e.by_zstd,
                e.by_copy,
            );
        }
        for two in &self.entrants {
            let alone = two.name.strip_suffix(", 2 threads");
            if let Some(one) = alone.and_then(|name| self.entrants.iter().find(|one| one.name == name)) {
                let (decode, encode) = (one.decode / two.decode, one.encode / two.encode);
                println!("two threads against one, {}: decode {decode:.2}, encode {encode:.2}", one.name);
            }
        }
    }

    /// The table as JSON: values and bytes per second, and the ratios.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.entrants.iter().map(|entrant| {
            let [decode, encode] = self.speeds(entrant).map(|speed| {
                json!({
                    "values_per_second": speed.values,
                    "bytes_per_second": speed.bytes,
                    "by_zstd": speed.by_zstd,
                    "by_memcpy": speed.by_copy,
                })
            });
            json!({ "name": entrant.name, "bits": self.bits(entrant), "decode": decode, "encode": encode })
        });
        json!({ "source": self.source, "values": self.values, "rows": rows.collect::<Vec<_>>() })
    }

    fn bits(&self, entrant: &Entrant<'_>) -> f64 {
        entrant.coder.packed() as f64 * 8.0 / self.values as f64
    }

    /// Of decoding and of encoding.
    fn speeds(&self, entrant: &Entrant<'_>) -> [Speed; 2] {
        let values = self.values as f64;
        let copy = self.entrants[0].width as f64 * values / self.entrants[0].decode;
        let zstd = self.entrants.iter().find(|entrant| entrant.name == ZSTD);
        let against = zstd.map_or([f64::NAN; 2], |zstd| [zstd.decode, zstd.encode]);
        let times = [(entrant.decode, against[0]), (entrant.encode, against[1])];
        times.map(|(seconds, zstd)| {
            let bytes = entrant.width as f64 * values / seconds;
            Speed { values: values / seconds, bytes, by_zstd: zstd / seconds, by_copy: bytes / copy }
        })
    }
}

/// How fast one direction was.
struct Speed {
    /// Values per second.
    values: f64,
    /// Bytes of the tensor, not of the packet, per second.
    bytes: f64,
    /// Values per second by those of [`ZSTD`].
    by_zstd: f64,
    /// Bytes per second by those of `memcpy`.
    by_copy: f64,
}
