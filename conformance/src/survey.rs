//! Which backends work here, in which process, and how fast: found out in child processes where there are such.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use telecine_core::{Backend, Effort, Registry};

use crate::process::{Ended, in_child};
use crate::signal::{at_depth, gaussian};
use crate::subject::Place;
use crate::{Absent, Subject};

/// Time for a probe, or for one group.
const SHORT: Duration = Duration::from_secs(30);

/// The backends that work here, and those that do not. A backend whose probe ends the process or hangs is absent, and a
/// failure.
pub(crate) fn survey(registry: &Registry) -> (Vec<Arc<dyn Backend>>, Vec<Absent>) {
    let deadly: Vec<Absent> = registry.backends().filter_map(|backend| deadly_probe(&**backend)).collect();
    if !deadly.is_empty() {
        // Not by the list, which probes all.
        let harmless =
            registry.backends().filter(|backend| deadly.iter().all(|a| a.name != backend.info().name));
        return (harmless.filter(|backend| backend.probe().is_ok()).cloned().collect(), deadly);
    }
    let list = registry.list();
    let works = |backend: &&Arc<dyn Backend>| {
        list.iter().any(|entry| entry.name == backend.info().name && entry.status.is_ok())
    };
    let working = registry.backends().filter(works).cloned().collect();
    let absent = list.iter().filter_map(|entry| {
        let reason = entry.status.as_ref().err()?.to_string();
        Some(Absent { name: entry.name.into(), codec: entry.codec.to_string(), reason, required: false })
    });
    (working, absent.collect())
}

fn deadly_probe(backend: &dyn Backend) -> Option<Absent> {
    let how = match in_child(SHORT, |_| vec![u8::from(backend.probe().is_ok())]).0 {
        Ended::Done(_) | Ended::NoChild(_) => return None,
        Ended::Died(how) => format!("its probe ends the process: {how}"),
        Ended::TookTooLong => format!("its probe takes over {} s", SHORT.as_secs()),
    };
    let info = backend.info();
    Some(Absent { name: info.name.into(), codec: info.codec.to_string(), reason: how, required: true })
}

/// How rules about a backend are run.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Where.
    pub(crate) place: Place,
    /// For how long at most.
    pub(crate) time_limit: Duration,
}

/// Finds out whether a backend works in a child process, and how fast.
pub(crate) fn pace(subject: &Subject) -> Pace {
    let (ended, _) = in_child(SHORT, |_| match code_a_group(subject) {
        Ok(time) => u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_le_bytes().to_vec(),
        Err(_) => Vec::new(),
    });
    let (place, time) = match ended {
        Ended::Done(bytes) => match bytes.try_into() {
            Ok(micros) => (Place::Child, Duration::from_micros(u64::from_le_bytes(micros))),
            // It says that it cannot. Where it can in this process, it has something that a child has not.
            Err(_) => match code_on_a_thread(subject) {
                Some(time) => (Place::Here, time),
                None => (Place::Child, Duration::ZERO),
            },
        },
        Ended::Died(_) | Ended::TookTooLong => (Place::Child, Duration::ZERO),
        Ended::NoChild(_) => (Place::Here, code_on_a_thread(subject).unwrap_or_default()),
    };
    // Ten times what the longest rule takes of the backends that are always there.
    Pace { place, time_limit: Duration::from_secs(300) + 2000 * time }
}

/// Time for a group of a few ten thousand samples, there and back, at every effort and kind of quality.
fn code_a_group(subject: &Subject) -> Result<Duration, String> {
    let begun = Instant::now();
    if subject.is_complete().is_ok() {
        let spec = subject.spec(1, 256, 256, 16).map_err(|error| error.to_string())?;
        let samples = gaussian(&spec, at_depth(&spec, 900.0), 1);
        for quality in subject.qualities(at_depth(&spec, 200.0)) {
            for effort in [Effort::Fast, Effort::Balanced, Effort::Best] {
                let packet = subject.encode_with(spec, &samples, quality, effort);
                let back = packet.and_then(|packet| subject.decode(spec, &packet));
                back.map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(begun.elapsed())
}

/// The same on a thread of this process.
fn code_on_a_thread(subject: &Subject) -> Option<Duration> {
    let (sender, receiver) = channel();
    let subject = subject.clone();
    std::thread::Builder::new()
        .spawn(move || {
            let _ = sender.send(code_a_group(&subject));
        })
        .ok()?;
    receiver.recv_timeout(SHORT).ok()?.ok()
}
