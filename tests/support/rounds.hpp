// Rounds: work that goes on by itself on a thread, round after round, while a test does its worst
// beside it.
//
// Threading: make and destroy it on the test's thread; next() and stopping() are the work's.
// Counts only; nothing here measures time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace causeway::test {

class Rounds {
public:
    // `work` does rounds until stopping(), and says what is wrong by an exception. Waits for the
    // first round; an exception if there is none.
    Rounds(const std::string& who, std::function<void(Rounds&)> work)
        : thread_([this, work = std::move(work)] {
              try {
                  work(*this);
              } catch (const std::exception& error) {
                  trouble_ = error.what();
                  failed_.store(true);
              }
          }) {
        if (!go_on(1)) {
            stop();
            throw std::runtime_error(who + " does not start: " + trouble());
        }
    }
    Rounds(const Rounds&) = delete;
    Rounds& operator=(const Rounds&) = delete;
    ~Rounds() { stop(); }

    // Whether there are `rounds` more, all of them right (a minute is the watchdog).
    [[nodiscard]] bool go_on(std::uint64_t rounds) {
        const std::uint64_t wanted = rounds_.load() + rounds;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
        while (rounds_.load() < wanted && !failed_.load()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return !failed_.load();
    }
    [[nodiscard]] std::uint64_t done() const noexcept { return rounds_.load(); }
    // What went wrong; empty if nothing.
    [[nodiscard]] std::string trouble() const { return failed_.load() ? trouble_ : ""; }
    void stop() {
        stop_.store(true);
        if (thread_.joinable())
            thread_.join();
    }

    [[nodiscard]] bool stopping() const noexcept { return stop_.load(); }
    void next() noexcept { rounds_.fetch_add(1); }

private:
    std::atomic<std::uint64_t> rounds_{0};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::string trouble_;  // written before failed_
    std::thread thread_;
};

}  // namespace causeway::test
