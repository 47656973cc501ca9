//! Random decisions that can be repeated.

/// A generator that depends on all of `words` and on nothing else.
pub(super) fn random(words: &[u64]) -> fastrand::Rng {
    let mut state = 0_u64;
    for word in words {
        // The finaliser of splitmix64: neighbouring words give unrelated states.
        state = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
    }
    fastrand::Rng::with_seed(state)
}
