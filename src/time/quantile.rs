//! What so many of a hundred did not exceed.

/// Of values in rising order, the one that `percent` of a hundred do not exceed, which is always one of
/// them (the nearest rank); `None`: there is none.
pub fn quantile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        assert_eq!(quantile::<u32>(&[], 50), None);
        assert_eq!(quantile(&[7], 95), Some(7));
        assert_eq!(quantile(&[1, 2, 3, 4], 50), Some(2));
        let twenty: Vec<u32> = (1..=20).collect();
        assert_eq!(quantile(&twenty, 95), Some(19));
        assert_eq!(quantile(&twenty, 100), Some(20));
    }
}
