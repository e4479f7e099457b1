//! k-means on points of a few coordinates, from starts that nothing is drawn for.
//!
//! Points lie one after the other in one slice of `width` coordinates each.

/// Rounds before a search is given up; each lowers the spread, so an end is a good one anyway.
const ROUNDS_MAX: u32 = 100;

/// Centres, in the order they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    pub centres: Vec<Vec<f64>>,
    /// Points of each.
    pub sizes: Vec<usize>,
    /// Sum of squared distances of points from their centres.
    pub spread: f64,
    pub rounds: u32,
}

pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The centre nearest to a point and its squared distance; the first among equals.
pub fn nearest(centres: &[Vec<f64>], point: &[f64]) -> Option<(usize, f64)> {
    let distances = centres.iter().map(|centre| squared_distance(centre, point)).enumerate();
    distances.reduce(|best, next| if next.1 < best.1 { next } else { best })
}

/// Mean of the points at these places.
fn centre(points: &[f64], width: usize, places: &[usize]) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    for place in places {
        let point = points.iter().skip(place * width);
        sum.iter_mut().zip(point).for_each(|(sum, x)| *sum += x);
    }
    for sum in &mut sum {
        *sum /= places.len().max(1) as f64;
    }
    sum
}

/// Squared distances from the mean, by coordinate.
fn spreads(points: &[f64], width: usize, places: &[usize], centre: &[f64]) -> Vec<f64> {
    let mut spreads = vec![0.0; width];
    for place in places {
        let point = points.iter().skip(place * width).zip(centre);
        spreads.iter_mut().zip(point).for_each(|(sum, (x, mean))| *sum += (x - mean) * (x - mean));
    }
    spreads
}

/// A part of all points while starts are looked for.
struct Part {
    places: Vec<usize>,
    centre: Vec<f64>,
    spreads: Vec<f64>,
}

impl Part {
    fn new(points: &[f64], width: usize, places: Vec<usize>) -> Self {
        let centre = centre(points, width, &places);
        let spreads = spreads(points, width, &places, &centre);
        Self { places, centre, spreads }
    }

    fn spread(&self) -> f64 {
        self.spreads.iter().sum()
    }
}

/// Place of the greatest value; the first among equals.
fn greatest(values: impl Iterator<Item = f64>) -> Option<(usize, f64)> {
    values.enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Starts by parting, again and again, the part that is spread most, at its mean on the coordinate
/// it is spread most on (Var-Part: Su & Dy 2007). Fewer than `k` where points do not differ.
pub fn starts(points: &[f64], width: usize, k: usize) -> Vec<Vec<f64>> {
    if width == 0 || points.len() < width {
        return Vec::new();
    }
    let mut parts = vec![Part::new(points, width, (0..points.len() / width).collect())];
    while parts.len() < k {
        let Some((widest, _)) = greatest(parts.iter().map(Part::spread)) else { break };
        let Some((coordinate, spread)) = greatest(parts[widest].spreads.iter().copied()) else {
            break;
        };
        let mean = parts[widest].centre[coordinate];
        let is_low = |place: &usize| points[place * width + coordinate] <= mean;
        let (low, high): (Vec<usize>, Vec<usize>) =
            parts[widest].places.iter().copied().partition(is_low);
        if spread <= 0.0 || low.is_empty() || high.is_empty() {
            break;
        }
        parts[widest] = Part::new(points, width, low);
        parts.push(Part::new(points, width, high));
    }
    parts.into_iter().map(|part| part.centre).collect()
}

/// Lloyd's algorithm (1982) from [`starts`]. A centre that loses all its points stays where it is.
pub fn k_means(points: &[f64], width: usize, k: usize) -> Clusters {
    let mut centres = starts(points, width, k);
    let width = width.max(1);
    let mut assigned: Vec<usize> = Vec::new();
    let mut rounds = 0;
    while rounds < ROUNDS_MAX {
        rounds += 1;
        let now = assign(&centres, points, width);
        if now == assigned {
            break;
        }
        assigned = now;
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); centres.len()];
        for (place, group) in assigned.iter().enumerate() {
            groups[*group].push(place);
        }
        for (at, group) in centres.iter_mut().zip(&groups).filter(|(_, group)| !group.is_empty()) {
            *at = centre(points, width, group);
        }
    }
    let mut sizes = vec![0; centres.len()];
    for group in &assigned {
        sizes[*group] += 1;
    }
    let distance = |point: &[f64]| nearest(&centres, point).map_or(0.0, |found| found.1);
    let spread = points.chunks_exact(width).map(distance).sum();
    Clusters { centres, sizes, spread, rounds }
}

/// The nearest centre of each point.
pub fn assign(centres: &[Vec<f64>], points: &[f64], width: usize) -> Vec<usize> {
    let place = |point: &[f64]| nearest(centres, point).map_or(0, |found| found.0);
    points.chunks_exact(width.max(1)).map(place).collect()
}

/// Distances of all points from each other, row by row.
pub fn distances(points: &[f64], width: usize) -> Vec<f64> {
    let all = || points.chunks_exact(width.max(1));
    all().flat_map(|a| all().map(move |b| squared_distance(a, b).sqrt())).collect()
}

/// How much nearer points are to their own group than to the next one, −1 to 1 (Rousseeuw 1987),
/// as the mean of each group and over all points; by [`distances`].
///
/// A point alone in its group has 0. None where there are not two groups with points. Takes time
/// with the square of the points.
pub fn silhouette(distances: &[f64], assigned: &[usize], k: usize) -> Option<(Vec<f64>, f64)> {
    let mut sizes = vec![0_usize; k];
    for group in assigned {
        sizes[*group] += 1;
    }
    if sizes.iter().filter(|size| **size > 0).count() < 2 {
        return None;
    }
    let (mut sums, mut all) = (vec![0.0; k], 0.0);
    for (row, own) in distances.chunks_exact(assigned.len()).zip(assigned) {
        let mut far = vec![0.0; k];
        for (distance, group) in row.iter().zip(assigned) {
            far[*group] += distance;
        }
        let own = *own;
        if sizes[own] < 2 {
            continue;
        }
        let within = far[own] / (sizes[own] - 1) as f64;
        let others = far.iter().zip(&sizes).enumerate().filter(|(i, (_, n))| *i != own && **n > 0);
        let next = others.map(|(_, (far, n))| far / *n as f64).fold(f64::INFINITY, f64::min);
        let most = within.max(next);
        let one = if most > 0.0 { (next - within) / most } else { 0.0 };
        sums[own] += one;
        all += one;
    }
    let mean = |(sum, n): (&f64, &usize)| sum / (*n).max(1) as f64;
    let groups = sums.iter().zip(&sizes).map(mean).collect();
    Some((groups, all / assigned.len() as f64))
}

/// Pairs of two lists of points with the least sum of distances, each point in one pair at most:
/// for each of `of`, its partner among `among`. By dynamic programming over subsets, so `among` has
/// at most 16 points; the first solution among equals.
pub fn matched(of: &[Vec<f64>], among: &[Vec<f64>]) -> Vec<Option<usize>> {
    let among = among.split_at(among.len().min(16)).0;
    let all = 1_usize << among.len();
    // By how many of `of` are done and which partners are taken; leaving one alone costs more than
    // any distance, so that as many as can be are paired.
    const ALONE: f64 = 1e9;
    let mut costs = vec![vec![f64::INFINITY; all]; of.len() + 1];
    let mut choices = vec![vec![None; all]; of.len() + 1];
    costs[0][0] = 0.0;
    for (i, point) in of.iter().enumerate() {
        for taken in 0..all {
            let cost = costs[i][taken];
            if !cost.is_finite() {
                continue;
            }
            let alone = std::iter::once((None, taken, ALONE));
            let partners = among.iter().enumerate().filter(|(j, _)| taken & (1 << j) == 0);
            let paired = partners
                .map(|(j, other)| (Some(j), taken | 1 << j, squared_distance(point, other).sqrt()));
            for (choice, after, more) in paired.chain(alone) {
                if cost + more < costs[i + 1][after] {
                    costs[i + 1][after] = cost + more;
                    choices[i + 1][after] = choice;
                }
            }
        }
    }
    let ends = costs[of.len()].iter().map(|cost| -cost);
    let mut taken = greatest(ends).map_or(0, |end| end.0);
    let mut partners = vec![None; of.len()];
    for i in (0..of.len()).rev() {
        partners[i] = choices[i + 1][taken];
        taken &= !partners[i].map_or(0, |j: usize| 1 << j);
    }
    partners
}
