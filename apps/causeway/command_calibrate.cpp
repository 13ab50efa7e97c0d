// causeway calibrate: which copy kernel serves this machine best, and from which size on.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "calibrate/report.hpp"
#include "calibrate/save.hpp"
#include "command.hpp"
#include "interrupt.hpp"
#include "json.hpp"
#include "platform/cpu.hpp"
#include "text.hpp"

namespace causeway::cli {
namespace {

using namespace calibrate;

struct Options {
    double seconds = 30;
    std::string cores;
    std::string save;
    CLI::Option* save_given = nullptr;
    bool json = false;
};

Result<CampaignOptions> make_campaign(const Options& options) {
    CampaignOptions campaign;
    campaign.seconds = options.seconds;
    campaign.show_progress = ::isatty(STDERR_FILENO) == 1;
    const std::vector<unsigned> allowed = platform::allowed_cpus();
    if (options.cores.empty()) {
        if (allowed.size() < 2)
            return fail(ErrorCode::invalid_argument,
                        "calibrating takes two cores, and this process may use only one");
        campaign.sender = allowed[0];
        campaign.receiver = allowed[1];
        return campaign;
    }
    CW_TRY_ASSIGN(const std::vector<unsigned> given, parse_numbers(options.cores));
    if (given.size() != 2 || given[0] == given[1])
        return fail(ErrorCode::invalid_argument,
                    fmt::format("--cores takes two different numbers, for sender and receiver, "
                                "not '{}'",
                                options.cores));
    for (const unsigned core : given) {
        if (std::find(allowed.begin(), allowed.end(), core) == allowed.end())
            return fail(ErrorCode::invalid_argument,
                        fmt::format("--cores: core {} is not one this process may use ({})", core,
                                    fmt::join(allowed, ",")));
    }
    campaign.sender = given[0];
    campaign.receiver = given[1];
    return campaign;
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

// A plan is saved only if it rests on something.
Result<void> check_worth(const Outcome& outcome) {
    const std::size_t wanted = outcome.measured.cells.size();
    const std::size_t complete = outcome.measured.complete_cells();
    if (complete * 10 >= wanted * 9)
        return {};
    return fail(
        ErrorCode::again,
        fmt::format("not saved: only {} of {} situations could be measured ({} of {} samples were "
                    "discarded, as the cores moved or others ran on them): calibrate while the "
                    "machine is idle, or with more --seconds than {}",
                    complete, wanted, outcome.campaign.other_regime + outcome.campaign.disturbed,
                    outcome.campaign.taken(), outcome.options.seconds));
}

Result<void> save(const Options& options, Outcome& outcome) {
    CW_TRY(check_worth(outcome));
    std::string path = options.save;
    if (path.empty()) {
        CW_TRY_ASSIGN(path, default_copies_path());
    }
    const std::string comment = fmt::format(
        "Copy kernels of Causeway for this machine: see causeway-calibrate(1).\n"
        "{}: {} samples of {:.3g} s, cores {} and {}; reaches {:.0f}% of the best kernel.",
        today(), outcome.campaign.samples.size(), outcome.options.seconds, outcome.options.sender,
        outcome.options.receiver, outcome.fit.score.mean * 100);
    CW_TRY(save_plan(path, outcome.fit.plan, comment));
    outcome.saved = path;
    return {};
}

void say_if_unused(const std::string& saved) {
    const engine::LoadedCopies found = engine::find_copies();
    if (found.source != saved)
        fmt::print(stderr,
                   "causeway: started here, programs will use the thresholds of {}, not the saved "
                   "ones; CAUSEWAY_COPIES={} makes them\n",
                   found.source == "built in" ? "no file" : found.source, saved);
}

Result<int> run(const Options& options) {
    catch_interrupts();
    const auto campaign_options = make_campaign(options);
    if (!campaign_options.has_value())
        return wrong_usage(campaign_options.error().text, "calibrate");
    Outcome outcome;
    outcome.options = *campaign_options;
    CW_TRY_ASSIGN(outcome.campaign, run_campaign(outcome.options));
    if (const int signal = interrupted(); signal != 0)
        return 128 + signal;
    const Campaign& campaign = outcome.campaign;
    outcome.measured = summarize(campaign.kernels, campaign.cells, campaign.samples);
    outcome.fit = Fitter(outcome.measured).fit();
    if (campaign.wrong != 0)
        return fail(ErrorCode::system,
                    fmt::format("after {} of {} samples the data that came was not the data that "
                                "was sent: please report this",
                                campaign.wrong, campaign.taken()));
    Result<void> saved;
    if (options.save_given->count() > 0)
        saved = save(options, outcome);
    if (options.json)
        print_json(to_json(outcome));
    else
        fmt::print("{}", tables(outcome));
    CW_TRY(saved);
    if (!outcome.saved.empty())
        say_if_unused(outcome.saved);
    return 0;
}

}  // namespace

void add_calibrate(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App& calibrate = *app.add_subcommand(
        "calibrate", "Measure the copy kernels of this machine and save which to use");
    calibrate.add_option("--seconds", options->seconds, "For all of it (default: 30)")
        ->check(CLI::Range(0.01, 3600.0))
        ->type_name("S");
    calibrate.add_option("--cores", options->cores, "Cores of sender and receiver")
        ->type_name("A,B");
    options->save_given =
        calibrate
            .add_option("--save", options->save,
                        "Save the thresholds, for library and daemon to load (default FILE: "
                        "/etc/causeway/copies for root, else ~/.config/causeway/copies)")
            ->expected(0, 1)
            ->type_name("[FILE]");
    add_json_option(calibrate, options->json);
    calibrate.footer(
        "Let the machine be idle meanwhile: two cores spin, and what runs beside them is "
        "measured too.\n\n"
        "Example:\n"
        "  causeway calibrate --save       then start causewayd anew; `causeway info` shows the "
        "plan");
    on_run(calibrate, [options] { return run(*options); });
}

}  // namespace causeway::cli
