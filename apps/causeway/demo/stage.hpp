// Stage: what the scenes of the demo share, and the scenes.
//
// Threading: one thread. Ownership: owns the adapter; every process that a scene starts ends with
// the scene or is handed back.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "demo/facts.hpp"
#include "demo/sandbox.hpp"
#include "demo/story.hpp"
#include "private_adapter.hpp"

namespace causeway::demo {

struct Options {
    Launcher::Wish wish = Launcher::Wish::sandbox_if_possible;
    std::vector<std::string> trees{};  // directories to send; empty: what every system has
    std::uint64_t megabytes = 128;     // of them, about
    double seconds = 0.4;              // of one sample of the figures
};

class Stage {
public:
    Stage(Story& story, Options options, Launcher launcher, cli::PrivateAdapter adapter)
        : story(story),
          options(std::move(options)),
          launcher(std::move(launcher)),
          adapter(std::move(adapter)) {}

    Story& story;
    const Options options;
    const Launcher launcher;
    cli::PrivateAdapter adapter;
    pid_t daemon = -1;
    Holdings baseline;  // of the daemon, before the first partition came

    // Runs them all, in order; an error ends the demo.
    [[nodiscard]] Result<void> play();

private:
    [[nodiscard]] Result<void> show_adapter();     // stage.cpp
    [[nodiscard]] Result<void> show_sandboxes();   // scene_sandbox.cpp
    [[nodiscard]] Result<void> send_files();       // scene_files.cpp
    [[nodiscard]] Result<void> meet_a_stranger();  // scene_stranger.cpp
    [[nodiscard]] Result<void> show_figures();     // scene_figures.cpp
    [[nodiscard]] Result<void> leave();            // stage.cpp

    [[nodiscard]] std::string entrance(const std::string& name) const {
        return adapter.directory() + "/" + name;
    }
};

// A partition with a role, and the conversation with it.
struct Player {
    std::string name;
    pid_t pid = -1;
    Conversation talk;
};
[[nodiscard]] Result<Player> start_player(const Launcher& launcher, const std::string& entrance,
                                          const std::string& name, const std::string& role);

}  // namespace causeway::demo
