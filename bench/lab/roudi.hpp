// Roudi: iceoryx's daemon, with memory for every size of message that the laboratory sends.
//
// Threading: one thread. Ownership: the daemon ends with the object, or with this program, and
// takes its files with it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "lab/process.hpp"

namespace causeway::bench {

class Roudi {
public:
    // `directory`: for its configuration, until it has come up.
    [[nodiscard]] static Result<Roudi> start(const std::string& directory);
    Roudi(Roudi&&) noexcept = default;
    Roudi& operator=(Roudi&&) = delete;
    ~Roudi() { process_.terminate(); }

private:
    explicit Roudi(Process process) : process_(std::move(process)) {}
    Process process_;
};

}  // namespace causeway::bench
