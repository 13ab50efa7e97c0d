// The stranger: connects to the owner's board, reads what it was given, and then tries what it was
// not: every attempt is answered by the adapter with a status, which is counted.
#include <fmt/format.h>

#include <cstring>
#include <map>
#include <random>

#include "demo/role.hpp"

namespace causeway::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kGuesses = 2000;  // of each kind, reads and writes in turn
constexpr std::uint32_t kPiece = 4096;

enum class Way { read, write, append };

class Stranger {
public:
    [[nodiscard]] Result<void> prepare() {
        CW_TRY_ASSIGN(partition_, Partition::attach(""));
        CW_TRY_ASSIGN(queue_, partition_.create_completion_queue(256));
        CW_TRY_ASSIGN(work_, partition_.allocate(kNotice));
        return {};
    }

    [[nodiscard]] Result<int> run() {
        Questions questions;
        std::string line;
        while (questions.next(line, -1) == Questions::State::one) {
            cli::json reply;
            if (line == "pretend") {
                CW_TRY_ASSIGN(reply, pretend());
            } else if (line == "intrude") {
                CW_TRY_ASSIGN(reply, intrude());
            } else if (line == "connect") {
                CW_TRY_ASSIGN(reply, connect());
            } else if (line == "allowed") {
                CW_TRY_ASSIGN(reply, allowed());
            } else {
                CW_TRY_ASSIGN(reply, attack());
            }
            answer(reply);
        }
        return 0;
    }

private:
    using Tally = std::map<std::string, std::uint32_t>;  // status -> how often

    // To be somebody else at the own entrance.
    [[nodiscard]] Result<cli::json> pretend() {
        const auto other = Partition::attach(kOwner);
        if (other)
            return cli::json{{"status", "success"}, {"text", ""}};
        return cli::json{{"status", name(other.error().code)}, {"text", other.error().text}};
    }
    // Onto the stream, which is for the neighbour.
    [[nodiscard]] Result<cli::json> intrude() {
        CW_TRY_ASSIGN(QueuePair pair, partition_.create_queue_pair({.completions = queue_}));
        CW_TRY(pair.post_receive(work_.slice(0, kPiece), 1));
        const auto connected = pair.connect(fmt::format("{}/{}", kOwner, kStream), 5s);
        if (!connected)
            return cli::json{{"status", name(connected.error().code)}};
        CW_TRY_ASSIGN(const std::string status, outcome());
        return cli::json{{"status", status}};
    }
    [[nodiscard]] Result<cli::json> connect() {
        CW_TRY_ASSIGN(pair_, partition_.create_queue_pair({.completions = queue_}));
        CW_TRY(pair_.post_receive(work_.slice(0, sizeof(Invitation)), 1));
        CW_TRY(pair_.connect(fmt::format("{}/{}", kOwner, kBoard), 10s));
        CW_TRY_ASSIGN(const std::string status, outcome());
        std::memcpy(&told_, work_.data(), sizeof told_);
        return cli::json{{"status", status}};
    }
    // What it was given: works, before and after everything else.
    [[nodiscard]] Result<cli::json> allowed() {
        std::memset(work_.data(), 0, work_.size());
        CW_TRY_ASSIGN(const std::string notice, attempt(Way::read, told_.notice, kNotice));
        const bool right = is_noise(work_.bytes(), kVaultSeed + 1);
        CW_TRY_ASSIGN(const std::string retired, attempt(Way::read, told_.retired, kPiece));
        return cli::json{{"notice", notice}, {"content", right}, {"retired", retired}};
    }

    [[nodiscard]] Result<cli::json> attack() {
        std::memset(work_.data(), 0x66, work_.size());
        cli::json all = cli::json::array();
        const auto add = [&](const char* what, const Tally& tally) {
            all.push_back({{"what", what}, {"statuses", tally}});
        };
        CW_TRY_ASSIGN(Tally guessed, guess_handles());
        add("guessed handles and generations", guessed);
        CW_TRY_ASSIGN(Tally generations, guess_generations());
        add("the vault's true handle and address, wrong generations", generations);
        CW_TRY_ASSIGN(Tally stale, try_all({told_.retired}, kPiece, {Way::read, Way::write}));
        add("a handle that was valid, its region deregistered", stale);
        CW_TRY_ASSIGN(Tally rights, try_all({told_.notice}, kPiece, {Way::write, Way::append}));
        add("a valid handle without the right (write, append)", rights);
        CW_TRY_ASSIGN(Tally ends, try_all(beyond(), kPiece, {Way::read}));
        add("a valid handle, before its start and past its end", ends);
        return all;
    }

    [[nodiscard]] Result<Tally> guess_handles() {
        std::vector<Remote> guesses;
        for (std::uint32_t i = 0; i < kGuesses; ++i) {
            const auto slot = static_cast<std::uint32_t>(random_() % 64 + 1);
            const auto generation = static_cast<std::uint32_t>(random_() | 1);
            guesses.push_back({slot, generation, told_.vault.address + random_() % kVault});
        }
        return try_in_turn(guesses);
    }
    [[nodiscard]] Result<Tally> guess_generations() {
        std::vector<Remote> guesses;
        Remote vault = told_.vault;
        for (const std::uint32_t generation :
             {0U, 1U, ~0U, told_.notice.generation, told_.retired.generation}) {
            vault.generation = generation;
            guesses.insert(guesses.end(), 2, vault);
        }
        while (guesses.size() < kGuesses) {
            vault.generation = static_cast<std::uint32_t>(random_());
            guesses.push_back(vault);
        }
        return try_in_turn(guesses);
    }
    [[nodiscard]] std::vector<Remote> beyond() const {
        std::vector<Remote> places;
        const std::uint64_t base = told_.notice.address;
        for (const std::uint64_t address :
             {base + kNotice, base + kNotice - kPiece + 1, base - 1, base - kPiece,
              base + (std::uint64_t{1} << 32), std::uint64_t{0}, ~std::uint64_t{0},
              ~std::uint64_t{0} - kPiece + 1, std::uint64_t{1} << 63}) {
            Remote place = told_.notice;
            place.address = address;
            places.push_back(place);
        }
        return places;
    }

    [[nodiscard]] Result<Tally> try_in_turn(const std::vector<Remote>& places) {
        Tally tally;
        for (std::size_t i = 0; i < places.size(); ++i) {
            const std::uint32_t length = i % 4 < 2 ? kPiece : 16;
            CW_TRY_ASSIGN(const std::string status,
                          attempt(i % 2 == 0 ? Way::read : Way::write, places[i], length));
            ++tally[status];
        }
        return tally;
    }
    [[nodiscard]] Result<Tally> try_all(const std::vector<Remote>& places, std::uint32_t length,
                                        const std::vector<Way>& ways) {
        Tally tally;
        for (const Remote& place : places) {
            for (const Way way : ways) {
                CW_TRY_ASSIGN(const std::string status, attempt(way, place, length));
                ++tally[status];
            }
        }
        return tally;
    }

    [[nodiscard]] Result<std::string> attempt(Way way, const Remote& place, std::uint32_t length) {
        const Slice slice = work_.slice(0, length);
        switch (way) {
            case Way::read:
                CW_TRY(pair_.post_read(slice, place, 1));
                break;
            case Way::write:
                CW_TRY(pair_.post_write(slice, place, 1));
                break;
            case Way::append:
                CW_TRY(pair_.post_append(slice, place, 1));
                break;
        }
        return outcome();
    }
    [[nodiscard]] Result<std::string> outcome() {
        const CompletionBatch batch = queue_.wait(20s);
        if (batch.empty())
            return fail(ErrorCode::timed_out, "an attempt was not answered");
        return std::string(name(batch.front().status()));
    }

    Partition partition_;
    CompletionQueue queue_;
    Region work_;
    QueuePair pair_;
    Invitation told_{};
    std::mt19937_64 random_{20260101};  // fixed: every run tries the same
};

}  // namespace

Result<int> play_stranger() {
    Stranger stranger;
    CW_TRY(stranger.prepare());
    return stranger.run();
}

}  // namespace causeway::demo
