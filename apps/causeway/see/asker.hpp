// Asker: takes samples on a thread of its own, so that an adapter that does not answer keeps nobody
// from pressing a key.
//
// Threading: one thread uses it. Ownership: its thread outlives it where the adapter does not
// answer; it holds what it needs.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "see/sample.hpp"

namespace causeway::cli {

class Asker {
public:
    [[nodiscard]] static Result<std::unique_ptr<Asker>> start(const std::string& socket);
    ~Asker();
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    // Begins to take a sample, unless one is being taken.
    void ask();
    [[nodiscard]] bool asking() const noexcept { return asking_; }
    // Readable when the sample is there.
    [[nodiscard]] int fd() const noexcept;
    // None: it is not there yet.
    [[nodiscard]] std::optional<Result<Sample>> take();

private:
    struct State;
    explicit Asker(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
    bool asking_ = false;
};

}  // namespace causeway::cli
