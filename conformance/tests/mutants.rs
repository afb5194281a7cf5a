//! The suite is itself tested: each deliberately broken backend is caught by a rule of the family meant for it, and no sound
//! backend is failed.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that fails by panicking says where"
)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use telecine_conformance::{CountingAllocator, Family, Subject, Verdict, all};
use telecine_core::{
    Backend, BackendInfo, Decoder, Effort, EncodeOptions, Encoder, Error, GroupSpec, Quality, Result,
    Unavailable,
};
use telecine_native::Native;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// What is wrong with a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    None,
    DropsLastSample,
    LosslessLosesLowBit,
    EffortBestIsInexact,
    DepthTwelveIsInexact,
    SamplesOverDepth,
    IgnoresStep,
    StepTimesThree,
    StepUpsideDown,
    WastesBytes,
    InflatesNoise,
    CountsPackets,
    NamesItsThread,
    RemembersHowOftenItWasCalled,
    DecoderDrifts,
    PredictsFromLastGroup,
    ClearsThePacket,
    PrependsToThePacket,
    MixesWithTheOutput,
    LeavesMiddleSamplesUnset,
    LeavesJunkOnError,
    OnlyEvenWidths,
    SingleRowsAreZero,
    SingleSamplesFail,
    LargeGroupsAreWrong,
    StoresConstantsRaw,
    ClipsOutliers,
    DecoderDiesOnError,
    EncoderDiesOnError,
    PanicsOnDamage,
    PanicsOnTails,
    AcceptsDamage,
    BlamesItselfForDamage,
    AllocatesByThePacket,
    LengthsAreDamage,
    RefusesWhatItClaims,
    TakesWhatItDisclaims,
    ProbeLies,
    DisagreesWithItsPeer,
}

use Fault::*;

/// Every fault with the family that must catch it.
const FAULTS: &[(Fault, Family)] = &[
    (DropsLastSample, Family::RoundTrip),
    (LosslessLosesLowBit, Family::RoundTrip),
    (EffortBestIsInexact, Family::RoundTrip),
    (DepthTwelveIsInexact, Family::RoundTrip),
    (SamplesOverDepth, Family::RoundTrip),
    (IgnoresStep, Family::RateDistortion),
    (StepTimesThree, Family::RateDistortion),
    (StepUpsideDown, Family::RateDistortion),
    (WastesBytes, Family::RateDistortion),
    (InflatesNoise, Family::RateDistortion),
    (CountsPackets, Family::Determinism),
    (NamesItsThread, Family::Determinism),
    (RemembersHowOftenItWasCalled, Family::Determinism),
    (DecoderDrifts, Family::Determinism),
    (PredictsFromLastGroup, Family::SelfContainment),
    (ClearsThePacket, Family::Buffers),
    (PrependsToThePacket, Family::Buffers),
    (MixesWithTheOutput, Family::Buffers),
    (LeavesMiddleSamplesUnset, Family::Buffers),
    (LeavesJunkOnError, Family::Buffers),
    (OnlyEvenWidths, Family::Extremes),
    (SingleRowsAreZero, Family::Extremes),
    (SingleSamplesFail, Family::Extremes),
    (LargeGroupsAreWrong, Family::Extremes),
    (StoresConstantsRaw, Family::Content),
    (ClipsOutliers, Family::Content),
    (DecoderDiesOnError, Family::Recovery),
    (EncoderDiesOnError, Family::Recovery),
    (PanicsOnDamage, Family::Corruption),
    (PanicsOnTails, Family::Corruption),
    (AcceptsDamage, Family::Corruption),
    (BlamesItselfForDamage, Family::Corruption),
    (AllocatesByThePacket, Family::Limits),
    (LengthsAreDamage, Family::Arguments),
    (RefusesWhatItClaims, Family::Arguments),
    (TakesWhatItDisclaims, Family::Arguments),
    (ProbeLies, Family::Arguments),
    (DisagreesWithItsPeer, Family::CrossDecoding),
];

/// The native backend with one fault.
#[derive(Debug)]
struct Mutant {
    fault: Fault,
    sound: Native,
    info: BackendInfo,
}

impl Mutant {
    fn new(fault: Fault) -> Self {
        let sound = Native::default();
        let mut info = BackendInfo { name: "mutant", ..sound.info().clone() };
        if fault == TakesWhatItDisclaims {
            info.capabilities.depths = &[8, 16];
        }
        Self { fault, sound, info }
    }
}

impl Backend for Mutant {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn encoder(&self, spec: GroupSpec, options: &EncodeOptions) -> Result<Box<dyn Encoder>> {
        match self.fault {
            OnlyEvenWidths if spec.width % 2 == 1 => return Err(Error::unsupported("odd width")),
            ProbeLies => return Err(Error::unsupported("the library went away")),
            _ => (),
        }
        let coder = Coder::new(self.fault, spec, options.effort);
        Ok(Box::new(MutantEncoder { coder, sound: self.sound.encoder(spec, options)? }))
    }

    fn decoder(&self, spec: GroupSpec) -> Result<Box<dyn Decoder>> {
        let coder = Coder::new(self.fault, spec, Effort::Fast);
        Ok(Box::new(MutantDecoder { coder, sound: self.sound.decoder(spec)? }))
    }
}

/// What a mutant remembers between calls.
struct Coder {
    fault: Fault,
    spec: GroupSpec,
    effort: Effort,
    last: Vec<u16>,
    calls: u64,
    failed: bool,
}

impl Coder {
    fn new(fault: Fault, spec: GroupSpec, effort: Effort) -> Self {
        Self { fault, spec, effort, last: Vec::new(), calls: 0, failed: false }
    }

    /// Whether packets end with bytes that the fault added, behind them their number.
    fn adds_bytes(&self) -> bool {
        matches!(
            self.fault,
            WastesBytes
                | InflatesNoise
                | CountsPackets
                | NamesItsThread
                | RemembersHowOftenItWasCalled
                | StoresConstantsRaw
        )
    }

    /// Differences to the last group, modulo the range of samples, and back.
    fn predict(&mut self, samples: &mut [u16], forward: bool) {
        let given = samples.to_vec();
        let before = self.last.iter().copied().chain(std::iter::repeat(0));
        for (sample, before) in samples.iter_mut().zip(before) {
            *sample = if forward { sample.wrapping_sub(before) } else { sample.wrapping_add(before) };
            *sample &= self.spec.max_sample();
        }
        self.last = if forward { given } else { samples.to_vec() };
    }
}

static PACKETS: AtomicU64 = AtomicU64::new(0);

struct MutantEncoder {
    coder: Coder,
    sound: Box<dyn Encoder>,
}

impl MutantEncoder {
    /// What the sound encoder is given instead.
    fn distort(&mut self, samples: &mut [u16], quality: &mut Quality) {
        let Coder { fault, spec, effort, failed, .. } = self.coder;
        if samples.len() != spec.samples() {
            return;
        }
        let max = spec.max_sample();
        match (fault, quality) {
            (IgnoresStep, Quality::Step(step)) if *step > 0.0 => *step = f32::from(max) / 40.0,
            (StepTimesThree, Quality::Step(step)) => *step *= 3.0,
            (StepUpsideDown, Quality::Step(step)) if *step > 0.0 => *step = f32::from(max) / *step,
            (LosslessLosesLowBit, Quality::Lossless) => samples.iter_mut().for_each(|s| *s &= !1),
            (EffortBestIsInexact, Quality::Lossless) if effort == Effort::Best => samples[0] ^= 1,
            (DepthTwelveIsInexact, Quality::Lossless) if spec.depth == 12 => samples[0] ^= 1,
            (ClipsOutliers, Quality::Step(_)) => {
                samples.iter_mut().for_each(|s| *s = (*s).clamp(max / 4, max / 4 * 3));
            }
            (LargeGroupsAreWrong, _) if samples.len() > 1 << 19 => samples.rotate_left(1),
            (SingleRowsAreZero, _) if spec.height == 1 => samples.fill(0),
            (PredictsFromLastGroup, _) => self.coder.predict(samples, true),
            (EncoderDiesOnError, _) if failed => samples.fill(0),
            _ => (),
        }
    }

    /// The bytes that the fault adds to a packet.
    fn waste(&self, samples: &[u16], quality: Quality) -> usize {
        let constant = samples.iter().all(|sample| *sample == samples[0]);
        match self.coder.fault {
            WastesBytes => samples.len() / 8,
            InflatesNoise if quality == Quality::Lossless => samples.len() / 4,
            StoresConstantsRaw if constant => samples.len(),
            CountsPackets => PACKETS.fetch_add(1, Ordering::Relaxed) as usize % 100,
            RemembersHowOftenItWasCalled => self.coder.calls as usize % 100,
            NamesItsThread => format!("{:?}", std::thread::current().id()).bytes().map(usize::from).sum(),
            _ => 0,
        }
    }
}

impl Encoder for MutantEncoder {
    fn encode(&mut self, samples: &[u16], mut quality: Quality, packet: &mut Vec<u8>) -> Result<()> {
        let fault = self.coder.fault;
        self.coder.calls += 1;
        match fault {
            RefusesWhatItClaims if quality == Quality::Lossless => {
                return Err(Error::unsupported("not today"));
            }
            SingleSamplesFail if self.coder.spec.samples() == 1 => {
                return Err(Error::unsupported("too small"));
            }
            LengthsAreDamage if samples.len() != self.coder.spec.samples() => {
                return Err(Error::corrupt("a group of the wrong length"));
            }
            ClearsThePacket => packet.clear(),
            _ => (),
        }
        let mut distorted = samples.to_vec();
        self.distort(&mut distorted, &mut quality);
        let start = packet.len();
        if let Err(error) = self.sound.encode(&distorted, quality, packet) {
            self.coder.failed = true;
            if fault == LeavesJunkOnError {
                packet.push(1);
            }
            return Err(error);
        }
        if fault == PrependsToThePacket {
            packet.rotate_left(start);
        }
        if self.coder.adds_bytes() {
            let waste = self.waste(samples, quality);
            packet.extend(std::iter::repeat_n(0, waste));
            packet.extend_from_slice(&(waste as u32).to_le_bytes());
        }
        Ok(())
    }
}

struct MutantDecoder {
    coder: Coder,
    sound: Box<dyn Decoder>,
}

impl MutantDecoder {
    /// What the caller gets instead of what the sound decoder returned.
    fn distort(&mut self, before: &[u16], samples: &mut [u16]) {
        let Coder { fault, spec, calls, failed, .. } = self.coder;
        let last = samples.len() - 1;
        match fault {
            DropsLastSample | DisagreesWithItsPeer => samples[last] ^= 1,
            SamplesOverDepth if spec.depth < 16 => samples[last] |= spec.max_sample() + 1,
            DecoderDrifts if calls > 1 => samples[0] ^= 1,
            PredictsFromLastGroup => self.coder.predict(samples, false),
            MixesWithTheOutput => samples[last] ^= before[last] & 1,
            LeavesMiddleSamplesUnset => {
                for (sample, before) in samples.iter_mut().zip(before) {
                    *sample = if *sample == spec.mid_sample() { *before } else { *sample };
                }
            }
            DecoderDiesOnError if failed => samples.fill(0),
            _ => (),
        }
    }
}

impl Decoder for MutantDecoder {
    fn decode(&mut self, mut packet: &[u8], samples: &mut [u16]) -> Result<()> {
        let fault = self.coder.fault;
        self.coder.calls += 1;
        match fault {
            LengthsAreDamage if samples.len() != self.coder.spec.samples() => {
                return Err(Error::corrupt("an output of the wrong length"));
            }
            AllocatesByThePacket => {
                let length = packet.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                std::hint::black_box(Vec::<u8>::with_capacity(length as usize));
            }
            _ => (),
        }
        if self.coder.adds_bytes() {
            let split = packet.split_last_chunk::<4>().and_then(|(rest, waste)| {
                rest.len().checked_sub(u32::from_le_bytes(*waste) as usize).map(|len| &rest[..len])
            });
            packet = split.ok_or_else(|| Error::corrupt("a packet of a mutant ends early"))?;
        }
        let before = samples.to_vec();
        match self.sound.decode(packet, samples) {
            Ok(()) => {
                self.distort(&before, samples);
                Ok(())
            }
            Err(error @ Error::Corrupt(_)) => {
                self.coder.failed = true;
                match fault {
                    PanicsOnDamage => panic!("{error}"),
                    PanicsOnTails if error.to_string().contains("goes on") => panic!("{error}"),
                    AcceptsDamage => {
                        samples.fill(0);
                        Ok(())
                    }
                    BlamesItselfForDamage => {
                        Err(Error::Backend { backend: "mutant", source: Box::new(error) })
                    }
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// The ids of the rules that a fault breaks.
fn broken(fault: Fault, wanted: impl Fn(Family) -> bool) -> Vec<&'static str> {
    let (mutant, native) = (Mutant::new(fault), Native::default());
    let others: [&dyn Backend; 1] = [&native];
    let subject = Subject::new(&mutant, &others);
    let rules = all().into_iter().filter(|rule| wanted(rule.family));
    let verdicts = rules.map(|rule| (rule.id, rule.run(&subject)));
    verdicts.filter(|(_, verdict)| matches!(verdict, Verdict::Broken(_))).map(|(id, _)| id).collect()
}

#[test]
fn every_mutant_is_caught_by_the_family_meant_for_it() {
    // Panics are findings here: their messages would only hide those of the test.
    std::panic::set_hook(Box::new(|_| ()));
    let mut missed = Vec::new();
    for &(fault, family) in FAULTS {
        let caught = broken(fault, |of| of == family);
        println!("{fault:?}: {caught:?}");
        if caught.is_empty() {
            missed.push((fault, family, broken(fault, |of| of != family)));
        }
    }
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not caught by their family, but by: {missed:#?}");
}

#[test]
fn the_mutants_are_many_and_reach_every_family() {
    assert!(FAULTS.len() >= 25);
    assert_eq!(FAULTS.iter().map(|(fault, _)| fault).collect::<HashSet<_>>().len(), FAULTS.len());
    let reached: HashSet<_> = FAULTS.iter().map(|(_, family)| *family).collect();
    for rule in all() {
        assert!(reached.contains(&rule.family), "no mutant for {}", rule.id);
    }
}

#[test]
fn a_mutant_without_a_fault_is_failed_by_no_rule() {
    assert_eq!(broken(Fault::None, |_| true), [""; 0]);
}
