#include "support/acts.hpp"

#include <unistd.h>

#include <causeway/causeway.hpp>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMemory = 64 << 10;
constexpr std::uint32_t kInbox = 32 << 10;   // offset of what it receives
constexpr std::uint32_t kInside = 16 << 10;  // of what its peer writes to

class Victim {
public:
    Victim(std::string socket, const char* executor, const Killer::Order& order,
           const std::function<void()>& mark)
        : socket_(std::move(socket)), executor_(executor), order_(order), mark_(mark) {}

    void live() {
        const Act act = static_cast<Act>(order_.act);
        if (act == Act::attach) {
            mark_();
            attach();
            mark_();
            return;
        }
        attach();
        if (act == Act::allocate) {
            mark_();
            allocate();
            mark_();
            return;
        }
        allocate();
        queue_ = partition_.create_completion_queue(64).value();
        if (act == Act::create_queue_pair) {
            mark_();
            create();
            mark_();
            return;
        }
        create();
        if (act == Act::accept) {
            auto listener = partition_.listen("door").value();
            mark_();
            listener.accept(pair_, 30s).value();
            (void)queue_.poll();
            mark_();
            return;
        }
        if (act == Act::connect) {
            mark_();
            connect();
            (void)queue_.poll();
            mark_();
            return;
        }
        connect();
        introduce();
        mark_();
        transfer(act);
        mark_();
    }

private:
    void attach() { partition_ = Partition::attach("victim", {socket_}).value(); }
    void allocate() {
        memory_ =
            partition_
                .allocate(kMemory, Access::exportable | Access::remote_write | Access::remote_read)
                .value();
        fill_message(memory_.bytes().first(kLarge), order_.number);
    }
    void create() {
        QueuePairOptions options{.completions = queue_};
        options.executor = executor_;
        pair_ = partition_.create_queue_pair(options).value();
    }
    void connect() { pair_.connect("survivor/door", 30s).value(); }

    // Its peer learns where its memory is.
    void introduce() {
        const Remote told = memory_.remote(kInside);
        std::memcpy(memory_.data() + kInside, &told, sizeof told);
        const bool again = static_cast<Act>(order_.act) == Act::send_again;
        pair_.post_send(memory_.slice(kInside, again ? kLarge : sizeof told), 0).value();
        await();
    }
    void transfer(Act act) {
        switch (act) {
            case Act::send_small:
                pair_.post_send(memory_.slice(0, kSmall), 1).value();
                break;
            case Act::send_large:
            case Act::send_again:
                pair_.post_send(memory_.slice(0, kLarge), 1).value();
                break;
            case Act::send_gather: {
                const Slice halves[] = {memory_.slice(0, kLarge / 2),
                                        memory_.slice(kLarge / 2, kLarge / 2)};
                pair_.post_send(halves, 1).value();
                break;
            }
            case Act::receive:
                pair_.post_receive(memory_.slice(kInbox, kLarge), 1).value();
                break;
            case Act::write_immediate:
                pair_.post_write(memory_.slice(0, kLarge), order_.window, 1, Immediate{kImmediate})
                    .value();
                break;
            case Act::read:
                pair_.post_read(memory_.slice(kInbox, kLarge), order_.source, 1).value();
                break;
            case Act::append:
                pair_.post_append(memory_.slice(0, test::kRecord), order_.log, 1).value();
                break;
            case Act::deregister:
                memory_.close().value();
                return;
            case Act::disconnect:
                pair_.close();
                return;
            default:
                throw std::logic_error("no transfer");
        }
        await();
    }
    void await() {
        for (;;) {
            const CompletionBatch batch = queue_.poll();
            if (batch.error() != ErrorCode::none)
                throw std::runtime_error("the completion queue fails");
            for (const Completion& done : batch) {
                if (!done.ok())
                    throw std::runtime_error("ended " + std::string(name(done.status())));
            }
            if (!batch.empty())
                return;
        }
    }

    std::string socket_;
    const char* executor_;
    const Killer::Order& order_;
    const std::function<void()>& mark_;
    Partition partition_;
    Region memory_;
    CompletionQueue queue_;
    QueuePair pair_;
};

}  // namespace

const char* name_of(Act act) {
    static constexpr const char* kNames[] = {
        "send_small",        "send_large",      "send_gather", "send_again",
        "receive",           "write_immediate", "read",        "append",
        "deregister",        "disconnect",      "attach",      "allocate",
        "create_queue_pair", "connect",         "accept"};
    return kNames[static_cast<std::size_t>(act)];
}

void fill_message(std::span<std::byte> bytes, std::uint64_t number) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = std::byte{byte_of(number, i)};
}

bool is_message(std::span<const std::byte> bytes, std::uint64_t number) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != std::byte{byte_of(number, i)})
            return false;
    }
    return true;
}

void perform(const std::string& socket, const char* executor, const Killer::Order& order,
             const std::function<void()>& mark) {
    Victim victim(socket, executor, order, mark);
    victim.live();
    for (;;)  // with all that it has
        ::pause();
}

}  // namespace causeway::test
