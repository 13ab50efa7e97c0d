// Results as if something had been measured.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "lab/results.hpp"

namespace causeway::bench {

class MadeUp {
public:
    MadeUp() {
        results_.machine = {"a processor", "6.1", 2, 0, 1, 0.1, 0.2};
        results_.date = "2026-11-21T10:00:00Z";
        results_.version = "0.1.0";
        results_.commit = "0123456789ab";
        results_.rounds = 3;
        results_.contestants = all_contestants();
        results_.absent.resize(results_.contestants.size());
    }

    // `rounds` samples with this figure in this regime.
    MadeUp& measured(const std::string& contestant, perf::Test test, std::uint64_t size,
                     perf::Touch touch, double figure, Regime regime = Regime::near,
                     Waiting waiting = Waiting::spin) {
        Cell& into = cell(contestant, {test, size, waiting}, touch);
        for (int i = 0; i < results_.rounds; ++i)
            into.samples.push_back(sample(test, figure, regime));
        return *this;
    }

    static Sample sample(perf::Test test, double figure, std::optional<Regime> regime) {
        Sample made;
        const double bounce = regime == Regime::far ? 250 : 50;
        made.bounce = {bounce, regime.has_value() ? bounce : 2 * bounce};
        made.regime = regime;
        made.verified = true;
        made.seconds = 0.1;
        made.messages = 1000;
        made.cpu_s = 0.2;
        if (test == perf::Test::latency) {
            made.p50_ns = made.p99_ns = made.p9999_ns = made.mean_ns = figure;
            made.buckets = {{50, 1000}};
        } else if (test == perf::Test::rate) {
            made.mops = figure;
        } else {
            made.gbytes_per_s = figure;
        }
        return made;
    }

    Cell& cell(const std::string& contestant, const Group& group, perf::Touch touch) {
        const auto same = [&](const Group& each) {
            return each.test == group.test && each.size == group.size &&
                   each.waiting == group.waiting;
        };
        auto& groups = results_.groups;
        auto in = std::find_if(groups.begin(), groups.end(), same);
        if (in == groups.end())
            in = groups.insert(groups.end(), group);
        const auto& all = results_.contestants;
        const auto who = std::find_if(
            all.begin(), all.end(), [&](const Contestant& each) { return each.id == contestant; });
        const auto contestant_index = static_cast<std::size_t>(who - all.begin());
        const auto group_index = static_cast<std::size_t>(in - groups.begin());
        for (Cell& each : results_.cells) {
            if (each.contestant == contestant_index && each.group == group_index &&
                each.touch == touch)
                return each;
        }
        results_.cells.push_back({contestant_index, group_index, touch});
        return results_.cells.back();
    }

    Results& operator*() { return results_; }
    Results* operator->() { return &results_; }

private:
    Results results_;
};

}  // namespace causeway::bench
