// causeway demo: three partitions, one adapter, a file tree, a stranger, the figures.
#include <fmt/format.h>

#include <memory>

#include "command.hpp"
#include "demo/role.hpp"
#include "demo/stage.hpp"
#include "platform/clock.hpp"

namespace causeway::cli {
namespace {

struct DemoOptions {
    demo::Options demo{};
    std::string sandbox = "auto";
};

Result<int> run(const DemoOptions& given) {
    const std::uint64_t begin = platform::monotonic_ns();
    demo::Options options = given.demo;
    using Wish = demo::Launcher::Wish;
    options.wish = given.sandbox == "on"    ? Wish::sandbox_or_fail
                   : given.sandbox == "off" ? Wish::plain
                                            : Wish::sandbox_if_possible;
    demo::Story story = demo::Story::on_standard_output();
    story.title("Causeway: partitions exchange data through an adapter, and nothing else");
    CW_TRY_ASSIGN(auto launcher, demo::Launcher::choose(options.wish));
    CW_TRY_ASSIGN(
        auto adapter,
        PrivateAdapter::start({.entrances = {demo::kOwner, demo::kNeighbour, demo::kStranger}}));
    demo::Stage stage(story, options, std::move(launcher), std::move(adapter));
    CW_TRY(stage.play());
    fmt::print("\n{} of {} claims hold; {:.0f} s\n", story.claims() - story.wrong(), story.claims(),
               static_cast<double>(platform::monotonic_ns() - begin) / 1e9);
    return story.wrong() == 0 ? 0 : kFailed;
}

}  // namespace

void add_demo(CLI::App& app) {
    auto options = std::make_shared<DemoOptions>();
    CLI::App& command = *app.add_subcommand(
        "demo", "Show what this is: sandboxed partitions, a file tree, a stranger, the figures");
    command
        .add_option(
            "--sandbox", options->sandbox,
            "auto: where the system allows it (default); on: fail without; off: plain processes")
        ->check(CLI::IsMember({"auto", "on", "off"}))
        ->type_name("WORD");
    command
        .add_option("--tree", options->demo.trees,
                    "Directory to send, may be given repeatedly (default: /usr/share/doc and what "
                    "else it takes)")
        ->type_name("DIR");
    command.add_option("--megabytes", options->demo.megabytes, "Of files, about (default: 128)")
        ->check(CLI::Range(1, 4096))
        ->type_name("N");
    command
        .add_option("--seconds", options->demo.seconds,
                    "Of each sample of the figures (default: 0.4)")
        ->check(CLI::Range(0.01, 60.0))
        ->type_name("S");
    command.footer(
        "Starts an adapter of its own in a private directory and leaves nothing behind. The exit\n"
        "status is 0 only if everything that it claims was so.");
    on_run(command, [options] { return run(*options); });

    // The partitions' side of it; not for people.
    auto role = std::make_shared<std::string>();
    CLI::App& hidden = *app.add_subcommand("demo-role", "One partition of the demo");
    hidden.group("");
    hidden.add_option("role", *role)->required();
    on_run(hidden, [role] { return demo::play_role(*role); });
}

}  // namespace causeway::cli
