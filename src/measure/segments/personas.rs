//! Personas: groups of customers who live alike, by k-means on standardised features, with labels
//! that stay.
//!
//! Counts and money are taken by their logarithms, features by their distance from the mean in
//! standard deviations, none further than four. How many groups there are is told by the
//! silhouette; who is fitted and who is asked for it is a sample that ids alone decide.

use super::reference::Reference;
use super::{Terms, words};
use crate::measure::drawn::Drawn;
use crate::measure::features::{Described, Row};
use crate::measure::kernel::clusters::{
    Clusters, assign, distances, k_means, matched, nearest, silhouette, squared_distance,
};

/// Fewer customers are no groups.
pub const PEOPLE_MIN: usize = 200;
/// People that centres are fitted to, and that silhouettes are taken of: a fit of more would move
/// no centre by a tenth of a standard deviation, and silhouettes take time with their square.
const FITTED: u64 = 20_000;
const ASKED: u64 = 1_000;
/// Standard deviations beyond which a customer is just far.
const FAR: f64 = 4.0;
/// The reference's number of groups stays unless another one is better by more than this.
const SILHOUETTE_GAIN: f64 = 0.05;

/// What customers are told apart by.
pub const INPUTS: [&str; 11] = [
    "days_silent",
    "tenure_days",
    "n_active_days_365",
    "n_orders_365",
    "n_orders",
    "average_order_value",
    "n_refunds_365",
    "n_conversations_365",
    "last_score",
    "n_events_90",
    "mrr",
];

/// A customer as [`INPUTS`], in natural units; none where there is nothing to measure.
pub type Raw = [Option<f64>; INPUTS.len()];
type Numbers = [f64; INPUTS.len()];

fn raw(row: Row<'_>) -> Raw {
    INPUTS.map(|name| match name {
        "average_order_value" => {
            let orders = row.get("n_orders").filter(|n| *n > 0.0)?;
            Some(row.or_zero("revenue_total") / orders)
        }
        "mrr" => Some(row.or_zero("mrr")),
        name => row.get(name),
    })
}

/// Of a number that may be large, its logarithm, on either side of zero; shares stay.
fn scaled(name: &str, value: f64) -> f64 {
    if name == "last_score" { value } else { value.signum() * libm::log1p(value.abs()) }
}

/// Means and standard deviations of scaled inputs over those who have them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub mean: Numbers,
    pub deviation: Numbers,
}

impl Scale {
    fn of(people: &[Raw]) -> Self {
        let (mut mean, mut deviation) = ([0.0; INPUTS.len()], [0.0; INPUTS.len()]);
        for (i, name) in INPUTS.into_iter().enumerate() {
            let values = || people.iter().filter_map(|one| Some(scaled(name, one[i]?)));
            let n = values().count().max(1) as f64;
            mean[i] = values().sum::<f64>() / n;
            deviation[i] = (values().map(|x| (x - mean[i]).powi(2)).sum::<f64>() / n).sqrt();
        }
        Self { mean, deviation }
    }

    /// A customer in standard deviations; who has nothing to measure is like the mean, and what
    /// nobody differs in tells nobody apart.
    fn point(&self, one: &Raw) -> Numbers {
        let mut point = [0.0; INPUTS.len()];
        for (i, name) in INPUTS.into_iter().enumerate() {
            if let Some(value) = one[i].filter(|_| self.deviation[i] > 1e-12) {
                let far = (scaled(name, value) - self.mean[i]) / self.deviation[i];
                point[i] = far.clamp(-FAR, FAR);
            }
        }
        point
    }

    /// A point of this scale on its own inputs.
    fn unscaled(&self, point: &[f64]) -> Numbers {
        let mut numbers = self.mean;
        for ((number, x), deviation) in numbers.iter_mut().zip(point).zip(self.deviation) {
            *number += x * deviation;
        }
        numbers
    }

    /// Scaled inputs in standard deviations of this scale.
    pub fn standard(&self, numbers: &Numbers) -> Vec<f64> {
        let parts = numbers.iter().zip(self.mean).zip(self.deviation);
        parts.map(|((x, mean), sd)| if sd > 1e-12 { (x - mean) / sd } else { 0.0 }).collect()
    }
}

/// One persona.
#[derive(Debug, Clone, PartialEq)]
pub struct Persona {
    /// From 1.
    pub number: i64,
    pub name: String,
    /// Scaled inputs of its centre.
    pub centre: Numbers,
    /// Mean distance from the centre of all, in standard deviations, by input.
    pub differs: Numbers,
    pub n: u64,
    /// Mean of its members; none where none of them has anything to measure.
    pub means: Raw,
    /// Of those asked.
    pub silhouette: Option<f64>,
    /// Distance from the persona of the reference, in its standard deviations.
    pub shift: Option<f64>,
}

/// All personas of a day, in the order of their numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Personas {
    pub all: Vec<Persona>,
    pub scale: Scale,
    pub means: Raw,
    pub silhouette: f64,
    pub fitted: u64,
    /// Place in `all` of each customer, and distance from the centre.
    pub of: Vec<(usize, f64)>,
}

/// Groups customers; none when they are too few, or all alike.
pub fn personas(customers: &Described, reference: &Reference, terms: &Terms) -> Option<Personas> {
    let people: Vec<Raw> = customers.rows().map(raw).collect();
    if people.len() < PEOPLE_MIN {
        return None;
    }
    let drawn = Drawn::new("personas", FITTED, people.len() as u64);
    let sample = people.iter().zip(&customers.ids).filter(|(_, id)| drawn.holds(id));
    let sample: Vec<(&Raw, &String)> = sample.collect();
    let scale = Scale::of(&sample.iter().map(|one| *one.0).collect::<Vec<_>>());
    let points: Vec<f64> = sample.iter().flat_map(|one| scale.point(one.0)).collect();
    let asked = Drawn::new("silhouettes", ASKED, sample.len() as u64);
    let asked = sample.iter().filter(|one| asked.holds(one.1));
    let asked: Vec<f64> = asked.flat_map(|one| scale.point(one.0)).collect();
    let (clusters, (groups, silhouette)) = best(&points, &asked, reference, terms)?;
    let order = order(&clusters);
    let centres: Vec<Vec<f64>> =
        order.iter().filter_map(|place| clusters.centres.get(*place).cloned()).collect();
    let groups: Vec<f64> = order.iter().filter_map(|place| groups.get(*place).copied()).collect();
    let labels = label(&centres, &scale, reference, terms);
    let of = people.iter().map(|one| {
        let (place, far) = nearest(&centres, &scale.point(one)).unwrap_or((0, 0.0));
        (place, far.sqrt())
    });
    let of: Vec<(usize, f64)> = of.collect();
    let mut all = Vec::new();
    for (place, ((label, centre), silhouette)) in
        labels.into_iter().zip(&centres).zip(groups).enumerate()
    {
        let members = || people.iter().zip(&of).filter(|(_, of)| of.0 == place);
        all.push(Persona {
            number: label.number,
            name: label.name.unwrap_or_default(),
            centre: scale.unscaled(centre),
            differs: std::array::from_fn(|i| centre.get(i).copied().unwrap_or(0.0)),
            n: members().count() as u64,
            means: means(members().map(|(one, _)| one)),
            silhouette: Some(silhouette),
            shift: label.shift,
        });
    }
    let fitted = sample.len() as u64;
    let mut made = Personas { means: means(people.iter()), all, scale, silhouette, fitted, of };
    made.sort();
    words::name(&mut made.all);
    Some(made)
}

impl Personas {
    /// Puts personas into the order of their numbers.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|place| self.all.get(*place).map(|persona| persona.number));
        let mut moved = vec![0; order.len()];
        order.iter().enumerate().for_each(|(now, before)| moved[*before] = now);
        for (place, _) in &mut self.of {
            *place = moved.get(*place).copied().unwrap_or(0);
        }
        self.all.sort_by_key(|persona| persona.number);
    }
}

fn means<'a>(people: impl Iterator<Item = &'a Raw> + Clone) -> Raw {
    std::array::from_fn(|i| {
        let values = || people.clone().filter_map(|one| one[i]);
        let n = values().count();
        (n > 0).then(|| values().sum::<f64>() / n as f64)
    })
}

/// The number of groups with the best silhouette; fewer are better than as good.
fn best(
    points: &[f64],
    asked: &[f64],
    reference: &Reference,
    terms: &Terms,
) -> Option<(Clusters, (Vec<f64>, f64))> {
    let width = INPUTS.len();
    let apart = distances(asked, width);
    let mut tried: Vec<(Clusters, (Vec<f64>, f64))> = Vec::new();
    for k in terms.personas_min.max(2)..=terms.personas_max.max(terms.personas_min) {
        let clusters = k_means(points, width, k as usize);
        if clusters.centres.len() < k as usize {
            break;
        }
        let groups = assign(&clusters.centres, asked, width);
        let silhouette = silhouette(&apart, &groups, clusters.centres.len());
        tried.extend(silhouette.map(|silhouette| (clusters, silhouette)));
    }
    let kept = reference.personas(terms);
    let usual = tried.iter().position(|(clusters, _)| clusters.centres.len() == kept);
    let places = 0..tried.len();
    let best = places.reduce(|a, b| if tried[b].1.1 > tried[a].1.1 { b } else { a })?;
    let is_as_good = |usual: &usize| tried[*usual].1.1 >= tried[best].1.1 - SILHOUETTE_GAIN;
    let chosen = usual.filter(is_as_good).unwrap_or(best);
    Some(tried.swap_remove(chosen))
}

/// An order that does not depend on how groups were found: the largest first.
fn order(clusters: &Clusters) -> Vec<usize> {
    let mut order: Vec<usize> = (0..clusters.centres.len()).collect();
    order.sort_by(|a, b| {
        let sizes = clusters.sizes[*b].cmp(&clusters.sizes[*a]);
        let (a, b) = (&clusters.centres[*a], &clusters.centres[*b]);
        let centres = a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        sizes.then(centres.unwrap_or(std::cmp::Ordering::Equal))
    });
    order
}

/// What a group is called.
struct Label {
    number: i64,
    name: Option<String>,
    shift: Option<f64>,
}

/// Numbers and names of the reference's nearest personas; groups that it does not know get the
/// numbers after them.
fn label(centres: &[Vec<f64>], scale: &Scale, reference: &Reference, terms: &Terms) -> Vec<Label> {
    let known = reference.known(terms);
    let standard = |centre: &Vec<f64>| match &known {
        Some(known) => known.scale.standard(&scale.unscaled(centre)),
        None => centre.clone(),
    };
    let today: Vec<Vec<f64>> = centres.iter().map(standard).collect();
    let before: Vec<Vec<f64>> = known
        .iter()
        .flat_map(|k| k.all.iter().map(move |one| k.scale.standard(&one.centre)))
        .collect();
    let mut next = known.iter().flat_map(|k| &k.all).map(|one| one.number).max().unwrap_or(0);
    let partners = matched(&today, &before);
    let label = |(point, partner): (&Vec<f64>, Option<usize>)| {
        let found = partner.and_then(|j| Some((known.as_ref()?.all.get(j)?, before.get(j)?)));
        if let Some((one, centre)) = found {
            let shift = Some(squared_distance(point, centre).sqrt());
            return Label { number: one.number, name: Some(one.name.clone()), shift };
        }
        next += 1;
        Label { number: next, name: None, shift: None }
    };
    today.iter().zip(partners).map(label).collect()
}
