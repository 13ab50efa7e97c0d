#include "lab/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "interrupt.hpp"
#include "lab/report.hpp"
#include "perf/probe.hpp"
#include "platform/clock.hpp"

namespace causeway::bench {
namespace {

using perf::Test;
using perf::Touch;

constexpr std::uint64_t kHuge = 16 << 20;  // messages of which a sample must have several
constexpr double kHugeSeconds = 0.2;
constexpr int kMorePasses = 3;
constexpr int kMostFailures = 3;

double load_average() {
    double load = 0;
    return ::getloadavg(&load, 1) == 1 ? load : 0;
}

std::string group_title(const Group& group) {
    const std::string_view what = group.waiting == Waiting::block ? " (both ends sleep)" : "";
    return fmt::format("{} {}{}", perf::name(group.test), size_text(group.size), what);
}

}  // namespace

struct Campaign::Place {
    std::size_t contestant;
    std::size_t group;
    std::unique_ptr<Runner> runner;  // none: out
};

Campaign::Campaign(CampaignOptions options, std::vector<Contestant> contestants,
                   std::vector<Group> groups, std::function<void(const std::string&)> tell)
    : options_(std::move(options)), tell_(std::move(tell)) {
    results_.contestants = std::move(contestants);
    results_.groups = std::move(groups);
    results_.rounds = options_.rounds;
    results_.near_below = options_.near_below;
    failures_.resize(results_.contestants.size());
    for (const Contestant& each : results_.contestants)
        results_.absent.push_back(why_absent(each, options_.around));
}

double Campaign::elapsed() const {
    return static_cast<double>(platform::monotonic_ns() - start_ns_) / 1e9;
}

Result<Results> Campaign::run() {
    start_ns_ = platform::monotonic_ns();
    const perf::Machine machine = perf::this_machine();
    results_.machine = {machine.cpu,
                        machine.kernel,
                        machine.cores_online,
                        options_.around.sender,
                        options_.around.receiver,
                        load_average(),
                        0};
    for (std::size_t group = 0; group < results_.groups.size(); ++group) {
        if (elapsed() > options_.budget) {
            results_.remarks.push_back("out of time before: " +
                                       group_title(results_.groups[group]));
            continue;
        }
        CW_TRY(measure_group(group));
    }
    // What is left of the time goes to those whose samples came from both regimes.
    for (int pass = 0; pass < kMorePasses; ++pass) {
        for (std::size_t group = 0; group < results_.groups.size(); ++group) {
            if (elapsed() <= options_.budget && !complete(group))
                CW_TRY(measure_group(group));
        }
    }
    results_.seconds = elapsed();
    results_.machine.load_after = load_average();
    return std::move(results_);
}

Cell& Campaign::cell(std::size_t contestant, std::size_t group, Touch touch) {
    for (Cell& each : results_.cells) {
        if (each.contestant == contestant && each.group == group && each.touch == touch)
            return each;
    }
    results_.cells.push_back({contestant, group, touch});
    return results_.cells.back();
}

// Enough samples in one regime.
bool Campaign::complete(const Cell& cell) const {
    if (!cell.missing.empty())
        return true;
    const auto wanted = static_cast<std::size_t>(options_.rounds);
    return cell.kept(results_.main_regime()) >= wanted;
}

bool Campaign::complete(std::size_t group) const {
    return std::all_of(results_.cells.begin(), results_.cells.end(),
                       [&](const Cell& each) { return each.group != group || complete(each); });
}

std::vector<Campaign::Place> Campaign::start_all(std::size_t group) {
    const Group& wanted = results_.groups[group];
    std::vector<Place> places;
    std::vector<std::pair<std::size_t, std::string>> out;
    for (std::size_t i = 0; i < results_.contestants.size(); ++i) {
        const Contestant& contestant = results_.contestants[i];
        if (!results_.absent[i].empty() || failures_[i] >= kMostFailures ||
            !contestant.takes_part(wanted.test, wanted.size, wanted.waiting))
            continue;
        auto runner = start_runner(contestant, wanted, options_.around);
        if (runner.has_value())
            places.push_back({i, group, std::move(*runner)});
        else
            out.emplace_back(i, runner.error().text);
    }
    for (Place& place : places) {
        if (const auto ready = place.runner->get_ready(); !ready.has_value()) {
            place.runner.reset();
            out.emplace_back(place.contestant, ready.error().text);
        }
    }
    std::erase_if(places, [](const Place& place) { return place.runner == nullptr; });
    for (const auto& [contestant, why] : out) {
        failed(contestant, why);
        const bool never = std::none_of(results_.cells.begin(), results_.cells.end(),
                                        [&, at = contestant](const Cell& each) {
                                            return each.contestant == at && !each.samples.empty();
                                        });
        if (never && results_.contestants[contestant].kind == Kind::causeway)
            results_.absent[contestant] = why;  // an executor that is not there
        for (const Touch touch : wanted.touches)
            cell(contestant, group, touch).missing = why;
    }
    return places;
}

Result<void> Campaign::measure_group(std::size_t group) {
    const Group& wanted = results_.groups[group];
    const double begin = elapsed();
    std::vector<Place> places = start_all(group);
    last_probe_ = 0;
    const double seconds =
        wanted.size >= kHuge ? std::max(kHugeSeconds, options_.seconds) : options_.seconds;
    for (int round = 0; round < options_.rounds + options_.more_rounds; ++round) {
        if (round >= options_.rounds && (complete(group) || elapsed() > options_.budget))
            break;
        CW_TRY(one_round(places, round, seconds));
    }
    tell_(fmt::format("{:>5.0f} s  {}: {} contestants in {:.1f} s, core to core {:.0f} ns",
                      elapsed(), group_title(wanted), places.size(), elapsed() - begin,
                      last_probe_));
    return {};
}

// Each round begins with another one, so that nobody always follows the same one.
Result<void> Campaign::one_round(std::vector<Place>& places, int round, double seconds) {
    for (const Touch touch :
         places.empty() ? std::vector<Touch>{} : results_.groups[places.front().group].touches) {
        for (std::size_t i = 0; i < places.size(); ++i) {
            Place& place = places[(i + static_cast<std::size_t>(round)) % places.size()];
            const Contestant& contestant = results_.contestants[place.contestant];
            if (place.runner == nullptr || (touch == Touch::read && !contestant.can_read))
                continue;
            const bool extra = round >= options_.rounds;
            if (extra && complete(cell(place.contestant, place.group, touch)))
                continue;
            CW_TRY(one_sample(place, touch, seconds));
        }
    }
    return {};
}

Result<void> Campaign::one_sample(Place& place, Touch touch, double seconds) {
    if (last_probe_ == 0) {
        CW_TRY_ASSIGN(last_probe_, probe());
    }
    const double before = last_probe_;
    auto taken = place.runner->sample(touch, seconds);
    if (cli::interrupted() != 0)
        return fail(ErrorCode::system, "interrupted");
    CW_TRY_ASSIGN(last_probe_, probe());
    Cell& into = cell(place.contestant, place.group, touch);
    if (!taken.has_value()) {
        into.missing = taken.error().text;
        failed(place.contestant, into.missing);
        place.runner.reset();
        return {};
    }
    taken->bounce = {before, last_probe_};
    taken->regime = taken->bounce.regime(options_.near_below);
    if (!taken->verified)
        into.missing = "the data that came was not the data sent";
    into.samples.push_back(std::move(*taken));
    return {};
}

void Campaign::failed(std::size_t contestant, const std::string& why) {
    const std::string& title = results_.contestants[contestant].title;
    tell_(fmt::format("  {}: {}", title, why));
    if (++failures_[contestant] == kMostFailures)
        results_.remarks.push_back(
            fmt::format("{} failed {} times and was left out from then on", title, kMostFailures));
}

Result<double> Campaign::probe() {
    const auto bounce = perf::bounce_ns(options_.around.sender, options_.around.receiver);
    if (!bounce.has_value())
        return fail(ErrorCode::invalid_argument,
                    fmt::format("cores {} and {} cannot both be used: name two others with "
                                "--cores A,B",
                                options_.around.sender, options_.around.receiver));
    results_.probes.push_back(*bounce);
    return *bounce;
}

}  // namespace causeway::bench
