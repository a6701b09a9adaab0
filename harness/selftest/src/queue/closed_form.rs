//! Sojourn times (waiting and service) in equilibrium.

use super::model::Queue;
use crate::script::Service;

/// The `q`-quantile of the sojourn time.
///
/// M/M/1: exponential with rate `mu - lambda` (Kleinrock, Queueing Systems I, section 5.12). M/D/1: one service time
/// after the quantile of the waiting time, see [`Waiting`].
///
/// # Panics
/// If the load is not below 1 or `q` is not in `0.0..1.0`: this is for queues that are constants.
pub(crate) fn sojourn_quantile(queue: &Queue, q: f64) -> f64 {
    assert!(
        queue.load() < 1.0 && (0.0..1.0).contains(&q),
        "{queue:?} has no equilibrium, or {q} no quantile"
    );
    match queue.service {
        Service::Exponential => -(1.0 - q).ln() / (1.0 / queue.mean_service - queue.arrival_rate),
        Service::Deterministic => queue.mean_service * (1.0 + Waiting::new(queue.load()).quantile(q)),
    }
}

/// The waiting time of M/D/1 in units of the service time.
///
/// The formula of Erlang and Crommelin (The Post Office Electrical Engineers' Journal 25, 1932) alternates in sign and
/// loses its digits with growing waits. Franx's equivalent has positive terms alone (G. J. Franx, "A simple solution
/// for the M/D/c waiting time distribution", Operations Research Letters 29, 2001), for one server:
///
/// `P(W <= x) = exp(-rho (k - x)) * sum over j from 0 to k - 1 of Q(k - 1 - j) (rho (k - x))^j / j!`, with
/// `k = floor(x) + 1` and `Q(i)` the probability that at most `i` wait.
#[derive(Debug)]
struct Waiting {
    load: f64,
    /// `Q(i)`.
    at_most_waiting: Vec<f64>,
}

/// Beyond so many service times lies less than 1e-15 of the waiting times of any load up to 0.9.
const LONGEST: usize = 200;

impl Waiting {
    fn new(load: f64) -> Self {
        let in_system = number_in_system(load, LONGEST + 2);
        // At most `i` wait when at most `i + 1` are there.
        let sums = in_system.iter().scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        });
        Self { load, at_most_waiting: sums.skip(1).collect() }
    }

    /// `P(W <= x)`.
    fn at_most(&self, x: f64) -> f64 {
        let k = (x.floor() as usize + 1).min(LONGEST);
        let rest = self.load * (k as f64 - x);
        let mut term = (-rest).exp();
        let mut sum = 0.0;
        for j in 0..k {
            sum += term * self.at_most_waiting[k - 1 - j];
            term *= rest / (j + 1) as f64;
        }
        sum
    }

    fn quantile(&self, q: f64) -> f64 {
        if self.at_most(0.0) >= q {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, LONGEST as f64);
        // Halved down to the resolution of a double.
        for _ in 0..64 {
            let middle = 0.5 * (low + high);
            if self.at_most(middle) < q { low = middle } else { high = middle }
        }
        high
    }
}

/// The probabilities of 0, 1, 2, ... in an M/D/1 system of service time 1.
///
/// Between departures, the chain steps up from `n` as often as it steps down to it: with `a(i)` the probability of `i`
/// arrivals in a service time and `A(i)` that of more than `i`,
/// `p(n + 1) a(0) = p(0) A(n) + sum over k from 1 to n of p(k) A(n - k + 1)`. All terms are positive.
fn number_in_system(load: f64, states: usize) -> Vec<f64> {
    let mut arrivals = vec![(-load).exp()];
    for i in 1..=states {
        arrivals.push(arrivals[i - 1] * load / i as f64);
    }
    // Summed from the small end, so that a tail keeps its digits.
    let mut more_than = vec![0.0; states + 1];
    for i in (0..states).rev() {
        more_than[i] = more_than[i + 1] + arrivals[i + 1];
    }
    let mut p = vec![1.0 - load];
    for n in 0..states - 1 {
        let up: f64 = p[0] * more_than[n] + (1..=n).map(|k| p[k] * more_than[n - k + 1]).sum::<f64>();
        p.push(up / arrivals[0]);
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_an_m_m_1_queue_is_out_after_ln_2_over_mu_minus_lambda() {
        let queue = Queue { arrival_rate: 700.0, mean_service: 0.001, service: Service::Exponential };
        assert!((sojourn_quantile(&queue, 0.5) - 2f64.ln() / 300.0).abs() < 1e-15);
    }

    #[test]
    fn the_numbers_in_the_system_sum_to_one_and_have_the_mean_of_pollaczek_and_khinchine() {
        for load in [0.1, 0.5, 0.7, 0.9] {
            let p = number_in_system(load, LONGEST);
            let mean: f64 = p.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            let expected = load + load * load / (2.0 * (1.0 - load));
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{load}");
            assert!((mean - expected).abs() < 1e-9, "{load}: {mean}");
        }
    }

    #[test]
    fn short_waits_agree_with_the_formula_of_erlang() {
        // P(W <= x) = (1 - rho) sum of (rho (j - x))^j / j! exp(-rho (j - x)) over j from 0 to floor(x): exact for short waits.
        let load = 0.7;
        let erlang = |x: f64| {
            let mut factorial = 1.0;
            let sum: f64 = (0..=x as usize)
                .map(|j| {
                    factorial *= (j as f64).max(1.0);
                    let y = load * (j as f64 - x);
                    y.powi(j as i32) / factorial * (-y).exp()
                })
                .sum();
            (1.0 - load) * sum
        };
        let waiting = Waiting::new(load);
        for x in [0.0, 0.25, 0.999, 1.0, 1.5, 2.0, 3.7, 6.1, 9.9] {
            assert!((waiting.at_most(x) - erlang(x)).abs() < 1e-11, "{x}: {}", waiting.at_most(x));
        }
    }

    #[test]
    fn the_mean_wait_is_that_of_pollaczek_and_khinchine() {
        let waiting = Waiting::new(0.7);
        let step = 1e-3;
        // The area above the distribution function.
        let mean: f64 =
            (0..60_000).map(|i| (1.0 - waiting.at_most((f64::from(i) + 0.5) * step)) * step).sum();
        assert!((mean - 0.7 / (2.0 * 0.3)).abs() < 1e-5, "{mean}");
    }

    #[test]
    fn quantiles_invert_the_distribution_and_three_in_ten_never_wait() {
        let waiting = Waiting::new(0.7);
        assert_eq!(waiting.quantile(0.29), 0.0);
        for q in [0.5, 0.9, 0.99, 0.999] {
            assert!((waiting.at_most(waiting.quantile(q)) - q).abs() < 1e-12, "{q}");
        }
    }
}
