// The owner: three regions; a neighbour with which it exchanges checked messages; a board where
// anybody may connect and is told what it may read.
#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "demo/role.hpp"
#include "platform/clock.hpp"

namespace causeway::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kReceive = 1;  // ids: what completed
constexpr std::uint64_t kAnswer = 2;
constexpr std::uint64_t kTold = 3;

class Owner {
public:
    [[nodiscard]] Result<void> prepare() {
        CW_TRY_ASSIGN(partition_, Partition::attach(""));
        CW_TRY_ASSIGN(queue_, partition_.create_completion_queue(256));
        constexpr auto both = Access::remote_read | Access::remote_write;
        CW_TRY_ASSIGN(vault_, partition_.allocate(kVault, both));
        CW_TRY_ASSIGN(notice_, partition_.allocate(kNotice, Access::remote_read));
        CW_TRY_ASSIGN(retired_, partition_.allocate(kNotice, both));
        CW_TRY_ASSIGN(work_, partition_.allocate(2 * kMessage + 4096));
        fill_noise(vault_.bytes(), kVaultSeed);
        fill_noise(notice_.bytes(), kVaultSeed + 1);
        fill_noise(retired_.bytes(), kVaultSeed + 2);
        told_.retired = retired_.remote();
        CW_TRY_ASSIGN(stream_, partition_.listen(kStream));
        CW_TRY_ASSIGN(board_, partition_.listen(kBoard));
        return {};
    }

    [[nodiscard]] Result<int> run() {
        Questions questions;
        std::string line;
        for (;;) {
            for (const Completion& done : queue_.wait(2ms))
                CW_TRY(handle(done));
            const std::uint64_t now = platform::monotonic_ns();
            if (now < next_look_)
                continue;
            next_look_ = now + 2'000'000;
            CW_TRY(accept_neighbour());
            CW_TRY(accept_anybody());
            switch (questions.next(line, 0)) {
                case Questions::State::none:
                    break;
                case Questions::State::ended:
                    return 0;
                case Questions::State::one:
                    CW_TRY(reply(line));
            }
        }
    }

private:
    [[nodiscard]] Result<QueuePair> idle_pair() {
        return partition_.create_queue_pair(
            {.completions = queue_, .patience = Patience::bounded(1s)});
    }

    // The stream is for one partition; the entrance that it came through says who it is.
    [[nodiscard]] Result<void> accept_neighbour() {
        if (!waiting_pair_) {
            CW_TRY_ASSIGN(waiting_pair_, idle_pair());
            CW_TRY(waiting_pair_->post_receive(work_.slice(0, kMessage), kReceive));
        }
        const auto accepted = stream_.accept(*waiting_pair_, 0ns);
        if (!accepted)
            return {};
        if (waiting_pair_->peer() != kNeighbour) {
            ++turned_away_;
            waiting_pair_.reset();
            return {};
        }
        neighbour_ = std::move(*waiting_pair_);
        waiting_pair_.reset();
        return tell(neighbour_, vault_.remote());
    }
    [[nodiscard]] Result<void> accept_anybody() {
        if (!idle_) {
            CW_TRY_ASSIGN(idle_, idle_pair());
        }
        if (!board_.accept(*idle_, 0ns))
            return {};
        visitors_.push_back(std::move(*idle_));
        idle_.reset();
        Remote vault = vault_.remote();
        vault.generation = 0;  // the secret
        return tell(visitors_.back(), vault);
    }
    [[nodiscard]] Result<void> tell(QueuePair& pair, Remote vault) {
        told_.vault = vault;
        told_.notice = notice_.remote();
        const Slice slice = work_.slice(2 * kMessage, sizeof(Invitation));
        std::memcpy(slice.data(), &told_, sizeof told_);
        CW_TRY(pair.post_send(slice, kTold));
        // The slice is used again for the next visitor: not before this one has it.
        for (bool sent = false; !sent;) {
            const CompletionBatch batch = queue_.wait(5s);
            if (batch.empty())
                return fail(ErrorCode::timed_out, "an invitation was not taken");
            for (const Completion& done : batch) {
                sent |= done.id() == kTold;
                CW_TRY(handle(done));
            }
        }
        return {};
    }

    [[nodiscard]] Result<void> handle(const Completion& done) {
        if (done.id() != kReceive || !done.ok())
            return {};
        const Slice question = work_.slice(0, kMessage);
        const Slice reply = work_.slice(kMessage, kMessage);
        if (done.length() != kMessage || !is_noise(question.bytes(), question_seed(messages_)))
            ++wrong_;
        fill_noise(reply.bytes(), answer_seed(messages_));
        ++messages_;
        CW_TRY(neighbour_.post_receive(question, kReceive));
        return neighbour_.post_send(reply, kAnswer);
    }

    [[nodiscard]] Result<void> reply(const std::string& question) {
        if (question == "retire") {
            CW_TRY(retired_.close());
            answer({{"retired", true}});
        } else {
            answer({{"messages", messages_},
                    {"wrong", wrong_},
                    {"visitors", visitors_.size()},
                    {"turned_away", turned_away_},
                    {"vault", fmt::format("{:016x}", fingerprint(vault_.bytes()))},
                    {"notice", fmt::format("{:016x}", fingerprint(notice_.bytes()))}});
        }
        return {};
    }

    Partition partition_;
    CompletionQueue queue_;
    Region vault_, notice_, retired_, work_;
    Listener stream_, board_;
    Invitation told_{};
    QueuePair neighbour_;
    std::optional<QueuePair> waiting_pair_, idle_;
    std::vector<QueuePair> visitors_;
    std::uint64_t next_look_ = 0;
    std::uint64_t messages_ = 0, wrong_ = 0, turned_away_ = 0;
};

}  // namespace

Result<int> play_owner() {
    Owner owner;
    CW_TRY(owner.prepare());
    return owner.run();
}

}  // namespace causeway::demo
