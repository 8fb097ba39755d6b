//! The probability of each pair of a line and a call, where both stand in their order and some of both are missing.
//!
//! How that is found is said in `milvus_otel_processor.enrichment.pairing.alignment`.

/// Lines, and calls, that can be aligned at once: the sums have to be below the greatest float.
pub const MOST: usize = 48;
const MOST_LIKELY: f64 = 1e6;

pub type Table = Vec<Vec<f64>>;

/// Return for each line, and each call, the probability that they are of one request.
pub fn probabilities(ratios: &Table, swaps: &[f64], unordered: &[bool]) -> Table {
    let fits: Table = ratios.iter().map(|row| row.iter().map(|ratio| ratio.min(MOST_LIKELY)).collect()).collect();
    let (lines, calls) = (fits.len(), fits[0].len());
    let ahead = sums(&fits, swaps, unordered);
    let turned: Table = fits.iter().rev().map(|row| row.iter().rev().copied().collect()).collect();
    let swaps_turned: Vec<f64> = swaps.iter().rev().copied().collect();
    let unordered_turned: Vec<bool> = unordered.iter().rev().copied().collect();
    let behind = sums(&turned, &swaps_turned, &unordered_turned);
    let total = ahead[lines][calls];
    let mut table: Table = (0..lines)
        .map(|i| (0..calls).map(|j| fits[i][j] * ahead[i][j] * behind[lines - i - 1][calls - j - 1]).collect())
        .collect();
    for i in 0..lines.saturating_sub(1) {
        for j in 0..calls.saturating_sub(1) {
            let crossed = fits[i][j + 1] * fits[i + 1][j];
            if crossed > 0.0 {
                let swapped = if unordered[i] { 1.0 } else { swaps[j] };
                let weight = swapped * crossed * ahead[i][j] * behind[lines - i - 2][calls - j - 2];
                table[i][j + 1] += weight;
                table[i + 1][j] += weight;
            }
        }
    }
    table.iter_mut().flatten().for_each(|weight| *weight /= total);
    table
}

/// Return the sum over all alignments of the first `i` lines and the first `j` calls, at `[i][j]`.
fn sums(fits: &Table, swaps: &[f64], unordered: &[bool]) -> Table {
    let mut table = vec![vec![1.0; fits[0].len() + 1]];
    for (i, row) in fits.iter().enumerate() {
        let (mut sums, mut left) = (vec![1.0], 1.0);
        for (j, fit) in row.iter().enumerate() {
            // All in which the line stays alone, or the call, less those in which both do, and those in which they are a pair.
            left += table[i][j + 1] + (fit - 1.0) * table[i][j];
            if i > 0 && j > 0 {
                let crossed = row[j - 1] * fits[i - 1][j];
                if crossed > 0.0 {
                    let swapped = if unordered[i - 1] { 1.0 } else { swaps[j - 1] };
                    left += swapped * crossed * table[i - 1][j - 1];
                }
            }
            sums.push(left);
        }
        table.push(sums);
    }
    table
}
