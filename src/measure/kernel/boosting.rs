//! Gradient boosting of trees for yes and no: log loss, second order, features cut into bins.
//!
//! Friedman 2001 with the gains and leaf weights of Chen & Guestrin 2016, eqs. 5 and 7. Sums run
//! in the order of the rows on one thread, and nothing is drawn, so the same rows give the same
//! trees on every machine.

use super::logistic::sigmoid;

/// Bins of a feature at most; a bin fits a byte.
const BINS_MAX: usize = 64;

/// How trees are grown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub trees: u32,
    pub depth: u32,
    /// Share of a tree's weights that counts.
    pub rate: f64,
    /// Rows of a leaf at least.
    pub leaf_rows: u32,
    /// Weight of the squared leaf weights.
    pub ridge: f64,
}

/// A node: what it would give as a leaf, and where it parts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    weight: f64,
    split: Option<Split>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    feature: usize,
    bin: u8,
    /// Values up to this one go left.
    upto: f64,
    left: usize,
    right: usize,
    gain: f64,
}

/// Trees that add up to log-odds.
#[derive(Debug, Clone, PartialEq)]
pub struct Boosted {
    width: usize,
    /// Log-odds before the first tree.
    start: f64,
    trees: Vec<Vec<Node>>,
}

/// Gradient, curvature and rows of a bin.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    gradient: f64,
    curvature: f64,
    rows: u32,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.curvature += other.curvature;
        self.rows += other.rows;
    }

    fn without(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    fn worth(self, ridge: f64) -> f64 {
        self.gradient * self.gradient / (self.curvature + ridge)
    }

    fn weight(self, shape: &Shape) -> f64 {
        -self.gradient / (self.curvature + shape.ridge) * shape.rate
    }
}

/// Upper ends of the bins of a feature: its values where they are few, else quantiles.
fn cuts(column: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = column.collect();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup_by(|a, b| a.total_cmp(b).is_eq());
    if distinct.len() <= BINS_MAX {
        distinct.pop();
        return distinct;
    }
    let at = |bin: usize| sorted.get(bin * sorted.len() / BINS_MAX).copied();
    let mut cuts: Vec<f64> = (1..BINS_MAX).filter_map(at).collect();
    cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
    // Nothing lies above the greatest value.
    let greatest = sorted.last().copied();
    cuts.retain(|cut| greatest.is_some_and(|most| *cut < most));
    cuts
}

/// What trees are grown on.
struct Ground<'a> {
    width: usize,
    cuts: Vec<Vec<f64>>,
    /// Row by row.
    bins: Vec<u8>,
    labels: &'a [bool],
    shape: Shape,
}

/// All bins of all features.
type Histogram = Vec<Cell>;

impl<'a> Ground<'a> {
    fn new(rows: &[f64], width: usize, labels: &'a [bool], shape: Shape) -> Self {
        let column = |feature: usize| rows.iter().skip(feature).step_by(width).copied();
        let cuts: Vec<Vec<f64>> = (0..width).map(|feature| cuts(column(feature))).collect();
        let bin = |(cuts, x): (&Vec<f64>, &f64)| cuts.partition_point(|cut| cut < x) as u8;
        let bins = rows.chunks_exact(width).flat_map(|row| cuts.iter().zip(row).map(bin)).collect();
        Self { width, cuts, bins, labels, shape }
    }

    fn row(&self, row: u32) -> &[u8] {
        let from = row as usize * self.width;
        self.bins.get(from..from + self.width).unwrap_or(&[])
    }

    fn histogram(&self, rows: &[u32], slopes: &[(f64, f64)]) -> Histogram {
        let mut cells = vec![Cell::default(); self.width * BINS_MAX];
        for row in rows {
            let (gradient, curvature) = slopes[*row as usize];
            let one = Cell { gradient, curvature, rows: 1 };
            for (bin, of) in self.row(*row).iter().zip(cells.chunks_exact_mut(BINS_MAX)) {
                of[usize::from(*bin)].add(one);
            }
        }
        cells
    }

    /// The best place to part rows; the first feature and bin among equals.
    fn best(&self, cells: &Histogram, all: Cell) -> Option<Split> {
        let mut best: Option<Split> = None;
        for (feature, (of, cuts)) in cells.chunks_exact(BINS_MAX).zip(&self.cuts).enumerate() {
            let mut left = Cell::default();
            for (bin, upto) in cuts.iter().enumerate() {
                left.add(of[bin]);
                let right = all.without(left);
                if left.rows < self.shape.leaf_rows || right.rows < self.shape.leaf_rows {
                    continue;
                }
                let ridge = self.shape.ridge;
                let gain = left.worth(ridge) + right.worth(ridge) - all.worth(ridge);
                if gain > best.map_or(1e-9, |best| best.gain) {
                    let bin = bin as u8;
                    best = Some(Split { feature, bin, upto: *upto, left: 0, right: 0, gain });
                }
            }
        }
        best
    }

    fn grow(&self, slopes: &[(f64, f64)]) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut rows: Vec<u32> = (0..self.labels.len() as u32).collect();
        let cells = self.histogram(&rows, slopes);
        self.part(&mut nodes, &mut rows, cells, slopes, self.shape.depth);
        nodes
    }

    /// Adds the node of `rows` and all below it; gives its place.
    fn part(
        &self,
        nodes: &mut Vec<Node>,
        rows: &mut [u32],
        cells: Histogram,
        slopes: &[(f64, f64)],
        depth: u32,
    ) -> usize {
        let mut all = Cell::default();
        cells.iter().take(BINS_MAX).for_each(|cell| all.add(*cell));
        let place = nodes.len();
        nodes.push(Node { weight: all.weight(&self.shape), split: None });
        let best = if depth == 0 { None } else { self.best(&cells, all) };
        let Some(best) = best else { return place };
        let goes_left =
            |row: &u32| self.row(*row).get(best.feature).is_some_and(|b| *b <= best.bin);
        // Both sides keep the order of the rows, and so of the sums.
        let (lefts, rights): (Vec<u32>, Vec<u32>) = rows.iter().copied().partition(goes_left);
        let (left_rows, right_rows) = rows.split_at_mut(lefts.len());
        left_rows.copy_from_slice(&lefts);
        right_rows.copy_from_slice(&rights);
        let is_left_fewer = left_rows.len() <= right_rows.len();
        let fewer = if is_left_fewer { &*left_rows } else { &*right_rows };
        let fewer = self.histogram(fewer, slopes);
        let rest = cells.iter().zip(&fewer).map(|(all, part)| all.without(*part)).collect();
        drop(cells);
        let (left_cells, right_cells) = if is_left_fewer { (fewer, rest) } else { (rest, fewer) };
        let left = self.part(nodes, left_rows, left_cells, slopes, depth - 1);
        let right = self.part(nodes, right_rows, right_cells, slopes, depth - 1);
        if let Some(node) = nodes.get_mut(place) {
            node.split = Some(Split { left, right, ..best });
        }
        place
    }
}

/// Fits rows of `width` features, one after the other in `rows`, to labels.
///
/// None without rows of both classes.
pub fn fit(rows: &[f64], width: usize, labels: &[bool], shape: Shape) -> Option<Boosted> {
    let positives = labels.iter().filter(|label| **label).count();
    if width == 0 || rows.len() != width * labels.len() || positives == 0 {
        return None;
    }
    if positives == labels.len() {
        return None;
    }
    let share = positives as f64 / labels.len() as f64;
    let start = libm::log(share / (1.0 - share));
    let ground = Ground::new(rows, width, labels, shape);
    let mut odds = vec![start; labels.len()];
    let mut slopes = vec![(0.0, 0.0); labels.len()];
    let mut boosted = Boosted { width, start, trees: Vec::new() };
    for _ in 0..shape.trees {
        for ((slope, odds), label) in slopes.iter_mut().zip(&odds).zip(labels) {
            let p = sigmoid(*odds);
            *slope = (p - f64::from(u8::from(*label)), p * (1.0 - p));
        }
        let tree = ground.grow(&slopes);
        if tree.len() < 2 {
            break;
        }
        for (odds, row) in odds.iter_mut().zip(rows.chunks_exact(width)) {
            *odds += leaf(&tree, row);
        }
        boosted.trees.push(tree);
    }
    Some(boosted)
}

/// The nodes that a row passes, from the root.
fn path<'a>(tree: &'a [Node], row: &'a [f64]) -> impl Iterator<Item = &'a Node> {
    let next = |node: &&'a Node| {
        let split = node.split?;
        let is_left = row.get(split.feature).is_some_and(|x| *x <= split.upto);
        tree.get(if is_left { split.left } else { split.right })
    };
    std::iter::successors(tree.first(), next)
}

fn leaf(tree: &[Node], row: &[f64]) -> f64 {
    path(tree, row).last().map_or(0.0, |node| node.weight)
}

impl Boosted {
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Log-odds of a row.
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        self.start + self.trees.iter().map(|tree| leaf(tree, row)).sum::<f64>()
    }

    pub fn probability(&self, row: &[f64]) -> f64 {
        sigmoid(self.log_odds(row))
    }

    /// What each feature adds to the log-odds of a row, beside what all rows have in common: the
    /// steps between the nodes that the row passes (Saabas 2014). With the log-odds of a row that
    /// stays at every root they add up to the row's.
    pub fn contributions(&self, row: &[f64]) -> Vec<f64> {
        let mut added = vec![0.0; self.width];
        for tree in &self.trees {
            let mut passed = path(tree, row);
            let Some(mut above) = passed.next() else { continue };
            for node in passed {
                if let Some(part) = above.split.and_then(|split| added.get_mut(split.feature)) {
                    *part += node.weight - above.weight;
                }
                above = node;
            }
        }
        added
    }

    /// Log-odds of a row that stays at every root.
    pub fn base(&self) -> f64 {
        let roots = self.trees.iter().filter_map(|tree| tree.first());
        self.start + roots.map(|root| root.weight).sum::<f64>()
    }

    /// Share of the loss taken off by each feature's splits.
    pub fn gains(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.width];
        for split in self.trees.iter().flatten().filter_map(|node| node.split) {
            if let Some(gain) = gains.get_mut(split.feature) {
                *gain += split.gain;
            }
        }
        let all: f64 = gains.iter().sum();
        if all > 0.0 {
            for gain in &mut gains {
                *gain /= all;
            }
        }
        gains
    }
}
