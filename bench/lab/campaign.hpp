// Campaign: measures groups of contestants. Within a group they take turns, sample by sample, so
// that whatever the machine does in the meantime happens to all of them.
//
// Threading: one thread, but for the probes' own. Ownership: the processes of one group at a time.
//
// Invariants:
//  1. While one sample runs, everybody else sleeps.
//  2. Every sample stands between two probes. One whose probes differ is discarded and repeated,
//     a bounded number of times.
//  3. Who fails in a group stays out of it, who fails in several out of all others; the others go
//     on.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "lab/results.hpp"
#include "lab/runner.hpp"

namespace causeway::bench {

struct CampaignOptions {
    Surroundings around;
    int rounds = 5;         // samples of each cell, not counting discarded ones
    int more_rounds = 4;    // at most, to make up for those
    double seconds = 0.06;  // of a sample
    double budget = 780;    // seconds; groups that would begin after that are left out
    double near_below = kNearBelow;
};

class Campaign {
public:
    Campaign(CampaignOptions options, std::vector<Contestant> contestants,
             std::vector<Group> groups, std::function<void(const std::string&)> tell);

    // Fails only where nothing can be measured, and when interrupted.
    [[nodiscard]] Result<Results> run();

private:
    struct Place;  // of a contestant in the group under measurement

    [[nodiscard]] Result<void> measure_group(std::size_t group);
    [[nodiscard]] std::vector<Place> start_all(std::size_t group);
    [[nodiscard]] Result<void> one_round(std::vector<Place>& places, int round, double seconds);
    [[nodiscard]] Result<void> one_sample(Place& place, perf::Touch touch, double seconds);
    void failed(std::size_t contestant, const std::string& why);
    [[nodiscard]] Result<double> probe();
    [[nodiscard]] bool complete(const Cell& cell) const;
    [[nodiscard]] bool complete(std::size_t group) const;
    [[nodiscard]] Cell& cell(std::size_t contestant, std::size_t group, perf::Touch touch);
    [[nodiscard]] double elapsed() const;

    CampaignOptions options_;
    Results results_;
    std::vector<int> failures_;  // by contestant
    std::function<void(const std::string&)> tell_;
    std::uint64_t start_ns_ = 0;
    double last_probe_ = 0;  // ns; 0: none right before
};

}  // namespace causeway::bench
