// Fit: from samples to figures, and from figures to the thresholds that serve them best.
//
// A plan is judged by what it would have reached in every cell, as a share of that cell's best
// kernel; shares are averaged geometrically, the regimes weighted by how often they were met.
//
// Threading: all functions are pure.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "calibrate/cell.hpp"
#include "engine/copy_plan.hpp"
#include "perf/statistics.hpp"

namespace causeway::calibrate {

inline constexpr double kSameRegime = 1.2;   // probes around a sample that differ more: discarded
inline constexpr double kOtherRegime = 2.0;  // times the quick ones' bounce: another cache domain
inline constexpr double kNextToNothing = 1.003;
inline constexpr double kWorthIt = 1.01;  // what another kernel must gain to be named

struct Score {
    double mean = 0;  // of the shares of the best kernel: 0 to 1
    double worst = 0;
    std::size_t worst_cell = 0;
    std::size_t worst_regime = 0;
};

struct Fit {
    engine::CopyPlan plan{};
    Score score{};
    Score by_size{};  // of the same plan if the pace were not looked at
};

// The bounce from which on samples belong to another regime than the quick ones: in the widest gap
// that has samples on either side and parts medians as far from each other as cache domains are.
// Infinite where there is but one regime.
[[nodiscard]] inline double regime_border(const std::vector<Sample>& samples) {
    std::vector<double> bounces;
    for (const Sample& sample : samples)
        bounces.push_back(sample.bounce);
    std::sort(bounces.begin(), bounces.end());
    const std::size_t least = std::max<std::size_t>(3, bounces.size() / 100);
    double border = std::numeric_limits<double>::infinity();
    double widest = kSameRegime;
    for (std::size_t i = least; i + least <= bounces.size(); ++i) {
        const double gap = bounces[i] / bounces[i - 1];
        const double quick = bounces[i / 2];
        const double slow = bounces[i + (bounces.size() - i) / 2];
        if (gap > widest && slow >= kOtherRegime * quick) {
            widest = gap;
            border = bounces[i];
        }
    }
    return border;
}

// Medians by regime, cell and kernel.
[[nodiscard]] inline Measured summarize(std::vector<engine::CopyKernel> kernels,
                                        std::vector<Cell> cells,
                                        const std::vector<Sample>& samples) {
    Measured measured{std::move(kernels), std::move(cells), {}};
    const double border = regime_border(samples);
    for (const bool far : {false, true}) {
        Regime regime;
        std::vector<double> bounces;
        struct Values {
            std::vector<double> rates, paces;
        };
        std::vector<std::vector<Values>> values(measured.cells.size(),
                                                std::vector<Values>(measured.kernels.size()));
        for (const Sample& sample : samples) {
            if ((sample.bounce >= border) != far)
                continue;
            bounces.push_back(sample.bounce);
            values[sample.cell][sample.kernel].rates.push_back(sample.rates.rate);
            values[sample.cell][sample.kernel].paces.push_back(sample.rates.pace);
        }
        if (bounces.empty())
            continue;
        regime.samples = bounces.size();
        regime.share = static_cast<double>(bounces.size()) / static_cast<double>(samples.size());
        regime.bounce = perf::median_of(std::move(bounces));
        for (auto& row : values) {
            auto& figures = regime.figures.emplace_back();
            for (Values& each : row) {
                const std::size_t count = each.rates.size();
                figures.push_back(count == 0 ? std::nullopt
                                             : std::optional(Figure{{perf::median_of(each.rates),
                                                                     perf::median_of(each.paces)},
                                                                    count}));
            }
        }
        measured.regimes.push_back(std::move(regime));
    }
    return measured;
}

// The kernel that a flow settles on in this cell: by size, and by the pace of its copies through
// the caches (engine::CopyPace).
[[nodiscard]] inline engine::CopyKernel settled(const engine::CopyPlan& plan, std::uint64_t size,
                                                double cached_pace) {
    const engine::CopyKernel cached = plan.cached_kernel(size);
    if (size < plan.nontemporal_least)
        return cached;
    if (size >= plan.nontemporal_from || cached_pace * 1000 < plan.slow_below)
        return plan.nontemporal;
    return cached;
}

class Fitter {
public:
    explicit Fitter(const Measured& measured) : measured_(measured) {}

    [[nodiscard]] Fit fit() const {
        Fit fit;
        engine::CopyPlan& plan = fit.plan;
        choose_large(plan);
        choose_nontemporal(plan);
        if (plan.nontemporal != engine::CopyKernel::cached) {
            choose_thresholds(plan);
        }
        engine::CopyPlan by_size = plan;
        by_size.slow_below = 0;
        fit.score = score(plan);
        fit.by_size = score(by_size);
        return fit;
    }

    // Of cells in which every kernel was measured.
    [[nodiscard]] Score score(const engine::CopyPlan& plan) const {
        double weights = 0;
        double logs = 0;
        Score score{.worst = 1};
        for_each([&](std::size_t r, std::size_t c) {
            const double share = reached(plan, r, c) / best(r, c, kAny);
            weights += measured_.regimes[r].share;
            logs += measured_.regimes[r].share * std::log(share);
            if (share < score.worst)
                score = {0, share, c, r};
        });
        score.mean = weights > 0 ? std::exp(logs / weights) : 0;
        if (weights == 0)
            score.worst = 0;
        return score;
    }

    // The rate of `kernel`, if it was measured there.
    [[nodiscard]] std::optional<Figure> figure(std::size_t regime, std::size_t cell,
                                               engine::CopyKernel kernel) const {
        for (std::size_t k = 0; k < measured_.kernels.size(); ++k) {
            if (measured_.kernels[k] == kernel)
                return measured_.regimes[regime].figures[cell][k];
        }
        return std::nullopt;
    }
    // What the plan would take there; nothing where it cannot be told.
    [[nodiscard]] std::optional<engine::CopyKernel> choice(const engine::CopyPlan& plan,
                                                           std::size_t regime,
                                                           std::size_t cell) const {
        const std::uint64_t size = measured_.cells[cell].size;
        const auto cached = figure(regime, cell, plan.cached_kernel(size));
        if (!cached.has_value())
            return std::nullopt;
        return settled(plan, size, cached->rates.pace);
    }

private:
    enum Kind { kAny, kCached, kNontemporal };

    template<typename F>
    void for_each(F&& f) const {
        for (std::size_t r = 0; r < measured_.regimes.size(); ++r) {
            for (std::size_t c = 0; c < measured_.cells.size(); ++c) {
                if (measured_.regimes[r].complete(c))
                    f(r, c);
            }
        }
    }
    [[nodiscard]] double rate(std::size_t r, std::size_t c, engine::CopyKernel kernel) const {
        return figure(r, c, kernel)->rates.rate;
    }
    [[nodiscard]] double best(std::size_t r, std::size_t c, Kind kind) const {
        double best = 0;
        for (const engine::CopyKernel kernel : measured_.kernels) {
            if (kind == kAny || engine::is_nontemporal(kernel) == (kind == kNontemporal))
                best = std::max(best, rate(r, c, kernel));
        }
        return best;
    }
    [[nodiscard]] double reached(const engine::CopyPlan& plan, std::size_t r, std::size_t c) const {
        return rate(r, c, *choice(plan, r, c));
    }
    // The sum of logarithms over the cells in which one kind is the best.
    template<typename Rate>
    [[nodiscard]] double sum_where(Kind kind, Rate&& rate_of) const {
        double sum = 0;
        for_each([&](std::size_t r, std::size_t c) {
            const bool around = best(r, c, kNontemporal) > best(r, c, kCached);
            if (around == (kind == kNontemporal))
                sum += measured_.regimes[r].share * std::log(rate_of(r, c));
        });
        return sum;
    }
    [[nodiscard]] std::vector<std::uint64_t> sizes() const {
        std::vector<std::uint64_t> sizes;
        for (const Cell& cell : measured_.cells)
            sizes.push_back(cell.size);
        std::sort(sizes.begin(), sizes.end());
        sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
        return sizes;
    }
    [[nodiscard]] double total_weight() const {
        double weight = 0;
        for_each([&](std::size_t r, std::size_t) { weight += measured_.regimes[r].share; });
        return weight;
    }

    void choose_large(engine::CopyPlan& plan) const {
        const double gain = std::log(kWorthIt) * total_weight() / 2;
        engine::CopyPlan trial = plan;
        const auto sum = [&] {
            return sum_where(kCached, [&](std::size_t r, std::size_t c) {
                return rate(r, c, trial.cached_kernel(measured_.cells[c].size));
            });
        };
        double most = sum() + gain;
        for (const engine::CopyKernel kernel : measured_.kernels) {
            if (engine::is_nontemporal(kernel) || kernel == engine::CopyKernel::cached)
                continue;
            for (const std::uint64_t size : sizes()) {
                trial.large = kernel;
                trial.large_from = size;
                if (const double reached = sum(); reached > most) {
                    most = reached;
                    plan = trial;
                }
            }
        }
    }
    void choose_nontemporal(engine::CopyPlan& plan) const {
        double most = -std::numeric_limits<double>::max();
        for (const engine::CopyKernel kernel : measured_.kernels) {
            if (!engine::is_nontemporal(kernel))
                continue;
            bool any = false;
            const double sum = sum_where(kNontemporal, [&](std::size_t r, std::size_t c) {
                any = true;
                return rate(r, c, kernel);
            });
            if (any && sum > most) {
                most = sum;
                plan.nontemporal = kernel;
            }
        }
        plan.nontemporal_least = plan.nontemporal_from = engine::kNever;
    }
    // The size from which on nobody need look at the pace: the smallest that costs next to nothing,
    // given the best that the pace can do for it. (By size alone the regime that was met most would
    // decide, and be wrong in the other.)
    void choose_thresholds(engine::CopyPlan& plan) const {
        std::vector<std::uint64_t> candidates = sizes();
        candidates.push_back(engine::kNever);
        std::vector<std::pair<double, engine::CopyPlan>> trials;
        double most = -std::numeric_limits<double>::max();
        for (const std::uint64_t from : candidates) {
            engine::CopyPlan trial = plan;
            trial.nontemporal_from = trial.nontemporal_least = from;
            choose_pace(trial);
            trials.emplace_back(log_mean(trial), trial);
            most = std::max(most, trials.back().first);
        }
        for (const auto& [reached, trial] : trials) {
            if (reached >= most - std::log(kNextToNothing)) {
                plan = trial;
                return;
            }
        }
    }
    [[nodiscard]] double log_mean(const engine::CopyPlan& plan) const {
        return std::log(std::max(score(plan).mean, 1e-9));
    }
    // Below which pace, and from which size on. Between two neighbouring paces every threshold does
    // the same: the widest gap is the safest.
    void choose_pace(engine::CopyPlan& plan) const {
        std::vector<double> paces;
        for_each([&](std::size_t r, std::size_t c) {
            const std::uint64_t size = measured_.cells[c].size;
            if (size < plan.nontemporal_from)
                paces.push_back(figure(r, c, plan.cached_kernel(size))->rates.pace);
        });
        std::sort(paces.begin(), paces.end());
        engine::CopyPlan trial = plan;
        const double least_gain = std::log(1.001);
        double most = log_mean(plan) + least_gain;
        double gap = 0;
        for (std::size_t i = 1; i < paces.size(); ++i) {
            const double middle = std::sqrt(paces[i - 1] * paces[i]);
            const double width = paces[i] / paces[i - 1];
            trial.slow_below = static_cast<std::uint32_t>(std::lround(middle * 100) * 10);
            for (const std::uint64_t least : sizes()) {
                if (least > plan.nontemporal_from)
                    break;
                trial.nontemporal_least = least;
                const double reached = log_mean(trial);
                const bool better = reached > most + least_gain;
                const bool as_good = reached > most - least_gain && width > gap && gap > 0;
                if (!better && !as_good)
                    continue;
                most = std::max(most, reached);
                gap = width;
                plan.slow_below = trial.slow_below;
                plan.nontemporal_least = trial.nontemporal_least;
            }
        }
    }

    const Measured& measured_;
};

}  // namespace causeway::calibrate
