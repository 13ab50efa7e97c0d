// TestAdapter: a causewayd of this build in a runtime directory of its own, for one test.
//
// Threading: one thread. Ownership: daemon and directory end with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/command.hpp"
#include "support/temp_directory.hpp"

namespace causeway::test {

class TestAdapter {
public:
    // Returns when the daemon has said that it is ready; throws with its log if it does not.
    explicit TestAdapter(const std::vector<std::string>& entrances = {},
                         const std::vector<std::string>& options = {});

    // Of the open entrance, or of the named one.
    [[nodiscard]] std::string socket() const { return directory_ / "fabric.sock"; }
    [[nodiscard]] std::string socket(const std::string& entrance) const {
        return directory_ / (entrance + "/fabric.sock");
    }
    [[nodiscard]] const std::string& directory() const { return directory_.path(); }
    [[nodiscard]] pid_t pid() const { return daemon_->pid(); }
    [[nodiscard]] std::string log() const { return daemon_->error_text(); }

    // SIGTERM, and the end that follows.
    [[nodiscard]] Finished stop();
    // Files below its directory that are not directories: none after stop().
    [[nodiscard]] std::vector<std::string> files() const;

private:
    TempDirectory directory_;
    std::unique_ptr<Command> daemon_;
};

}  // namespace causeway::test
