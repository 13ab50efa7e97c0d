// The neighbour: sends the owner checked messages, checks the answers, and now and then reads the
// owner's vault, whose handle and generation it was told.
#include <fmt/format.h>

#include <cstring>

#include "demo/role.hpp"
#include "platform/clock.hpp"

namespace causeway::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kReceive = 1;  // ids: what completed
constexpr std::uint64_t kQuestion = 2;
constexpr std::uint64_t kRead = 3;
constexpr std::uint64_t kVaultEvery = 16;  // messages

class Neighbour {
public:
    [[nodiscard]] Result<void> prepare() {
        CW_TRY_ASSIGN(partition_, Partition::attach(""));
        CW_TRY_ASSIGN(queue_, partition_.create_completion_queue(256));
        CW_TRY_ASSIGN(work_, partition_.allocate(2 * kMessage + kVault));
        CW_TRY_ASSIGN(pair_, partition_.create_queue_pair({.completions = queue_}));
        CW_TRY(pair_.post_receive(work_.slice(0, sizeof(Invitation)), kReceive));
        CW_TRY(pair_.connect(fmt::format("{}/{}", kOwner, kStream), 10s));
        CW_TRY(wait_for(kReceive));
        std::memcpy(&told_, work_.data(), sizeof told_);
        return {};
    }

    [[nodiscard]] Result<int> run() {
        Questions questions;
        std::string line;
        std::uint64_t next_look = 0;
        for (;;) {
            CW_TRY(exchange());
            if (messages_ % kVaultEvery == 0) {
                CW_TRY(read_vault());
            }
            const std::uint64_t now = platform::monotonic_ns();
            if (now < next_look)
                continue;
            next_look = now + 2'000'000;
            switch (questions.next(line, 0)) {
                case Questions::State::none:
                    break;
                case Questions::State::ended:
                    return 0;
                case Questions::State::one:
                    answer({{"messages", messages_},
                            {"bytes", 2 * messages_ * kMessage},
                            {"vault_reads", reads_},
                            {"wrong", wrong_},
                            {"peer", pair_.peer()},
                            {"executor", pair_.executor()}});
            }
        }
    }

private:
    [[nodiscard]] Result<void> exchange() {
        const Slice in = work_.slice(0, kMessage);
        const Slice out = work_.slice(kMessage, kMessage);
        fill_noise(out.bytes(), question_seed(messages_));
        std::memset(in.data(), 0, in.size());
        CW_TRY(pair_.post_receive(in, kReceive));
        CW_TRY(pair_.post_send(out, kQuestion));
        CW_TRY(wait_for(kReceive));
        if (!is_noise(in.bytes(), answer_seed(messages_)))
            ++wrong_;
        ++messages_;
        return {};
    }
    [[nodiscard]] Result<void> read_vault() {
        const Slice in = work_.slice(2 * kMessage, kVault);
        std::memset(in.data(), 0, in.size());
        CW_TRY(pair_.post_read(in, told_.vault, kRead));
        CW_TRY(wait_for(kRead));
        if (!is_noise(in.bytes(), kVaultSeed))
            ++wrong_;
        ++reads_;
        return {};
    }
    [[nodiscard]] Result<void> wait_for(std::uint64_t id) {
        for (;;) {
            const CompletionBatch batch = queue_.wait(20s);
            if (batch.empty())
                return fail(ErrorCode::timed_out, "the stream stands still");
            bool found = false;
            for (const Completion& done : batch) {
                if (!done.ok())
                    return fail(ErrorCode::system,
                                fmt::format("the stream broke: {}", name(done.status())));
                found |= done.id() == id;
            }
            if (found)
                return {};
        }
    }

    Partition partition_;
    CompletionQueue queue_;
    Region work_;
    QueuePair pair_;
    Invitation told_{};
    std::uint64_t messages_ = 0, wrong_ = 0, reads_ = 0;
};

}  // namespace

Result<int> play_neighbour() {
    Neighbour neighbour;
    CW_TRY(neighbour.prepare());
    return neighbour.run();
}

}  // namespace causeway::demo
