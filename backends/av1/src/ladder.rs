//! The steps that rav1e's quantisers come to.

use std::sync::LazyLock;

use telecine_video::Ladder;

/// rav1e codes key frames finer than its quantiser says: by this factor (`DQP_Q57` of its rate control).
const KEY_FRAME: f32 = 0.761_571;

/// The quantisers of rav1e with the steps that they come to in key frames, at a depth of 8, 10 or 12 bits.
pub(crate) fn ladder(depth: u8) -> &'static Ladder {
    static LADDERS: LazyLock<[Ladder; 3]> = LazyLock::new(|| [8, 10, 12].map(of_depth));
    &LADDERS[usize::from((depth.saturating_sub(8) / 2).min(2))]
}

fn of_depth(depth: u8) -> Ladder {
    let steps = Ladder::av1(depth);
    let table = Ladder::new((0..).zip(steps.iter().copied()), 1.0);
    // It takes the index whose step is nearest to the wanted one in ratio; several quantisers come to the same.
    let mut rungs: Vec<(i32, f32)> = Vec::new();
    for (quantiser, step) in (1..).zip(steps) {
        let nearest = usize::try_from(table.nearest(step * KEY_FRAME)).unwrap_or(0);
        if rungs.last().is_none_or(|rung| rung.1 < steps[nearest]) {
            rungs.push((quantiser, steps[nearest]));
        }
    }
    Ladder::new(rungs, 1.0)
}
