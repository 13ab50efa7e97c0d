#include "perf/measure.hpp"

#include "perf/probe.hpp"

namespace causeway::perf {

double Measurement::figure(const Sample& sample) const {
    if (plan.test == Test::latency)
        return static_cast<double>(sample.one_way.quantile(0.5));
    return plan.test == Test::rate ? sample.mops() : sample.gbytes_per_s(plan.size);
}

std::string Measurement::figure_name() const {
    if (plan.test == Test::latency)
        return "one_way_ns.p50";
    return plan.test == Test::rate ? "mops" : "gbytes_per_s";
}

std::vector<double> Measurement::figures() const {
    std::vector<double> values;
    for (const Sample& sample : samples)
        values.push_back(figure(sample));
    return values;
}

bool Measurement::verified() const {
    for (const Sample& sample : samples) {
        if (!sample.verified)
            return false;
    }
    return !samples.empty();
}

Histogram Measurement::one_way() const {
    Histogram all;
    for (const Sample& sample : samples)
        all.merge(sample.one_way);
    return all;
}

namespace {

Result<Sample> take_sample(Rig& rig) {
    Sample sample;
    sample.bounce_before = bounce_ns(rig.plan().cores);
    CW_TRY_ASSIGN(const Outcome* const outcome, rig.run_sample());
    sample.bounce_after = bounce_ns(rig.plan().cores);
    sample.one_way = outcome->one_way;
    sample.messages = outcome->messages;
    sample.seconds = static_cast<double>(outcome->elapsed_ns) / 1e9;
    sample.verified = outcome->verified;
    return sample;
}

}  // namespace

Result<std::vector<Measurement>> measure(const std::vector<Plan>& plans) {
    std::vector<Rig> rigs;  // all of them before the probe makes threads
    std::vector<Measurement> measurements;
    for (const Plan& plan : plans) {
        CW_TRY_ASSIGN(Rig rig, Rig::start(plan));
        measurements.push_back({plan, rig.executor(), {}});
        rigs.push_back(std::move(rig));
    }
    for (int run = 0; run < plans.front().repeat; ++run) {
        for (std::size_t i = 0; i < rigs.size(); ++i) {
            CW_TRY_ASSIGN(Sample sample, take_sample(rigs[i]));
            measurements[i].samples.push_back(std::move(sample));
        }
    }
    return measurements;
}

}  // namespace causeway::perf
