//! Scores to probabilities that never fall as the score grows.

/// A rising step function, read between the middles of its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Mean score and share of cases of each block, both rising.
    blocks: Vec<(f64, f64)>,
    /// No probability is nearer to 0 or 1 than half a case of all.
    least: f64,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    n: f64,
    score: f64,
    cases: f64,
}

impl Block {
    fn share(self) -> f64 {
        self.cases / self.n
    }
}

/// Fits scores to what came, by pooling adjacent violators (Ayer et al. 1955).
///
/// Equal scores are one. None of no scores.
pub fn fit(scored: &[(f64, bool)]) -> Option<Isotonic> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks: Vec<Block> = Vec::new();
    for same in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let n = same.len() as f64;
        let cases = same.iter().filter(|one| one.1).count() as f64;
        let score = same.first().map_or(0.0, |one| one.0) * n;
        let mut block = Block { n, score, cases };
        while let Some(before) = blocks.pop_if(|before| before.share() >= block.share()) {
            block = Block {
                n: block.n + before.n,
                score: block.score + before.score,
                cases: block.cases + before.cases,
            };
        }
        blocks.push(block);
    }
    if blocks.is_empty() {
        return None;
    }
    let blocks = blocks.into_iter().map(|block| (block.score / block.n, block.share())).collect();
    Some(Isotonic { blocks, least: 0.5 / scored.len() as f64 })
}

impl Isotonic {
    /// Mean score and share of cases of the blocks.
    pub fn blocks(&self) -> &[(f64, f64)] {
        &self.blocks
    }

    /// Probability at a score.
    pub fn at(&self, score: f64) -> f64 {
        let after = self.blocks.partition_point(|block| block.0 <= score);
        let right = self.blocks.get(after);
        let left = after.checked_sub(1).and_then(|i| self.blocks.get(i));
        let share = match (left, right) {
            (Some(left), Some(right)) => {
                left.1 + (score - left.0) / (right.0 - left.0) * (right.1 - left.1)
            }
            (Some(end), None) | (None, Some(end)) => end.1,
            (None, None) => 0.5,
        };
        share.clamp(self.least, 1.0 - self.least)
    }
}
