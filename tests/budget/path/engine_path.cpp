// The path through the engine alone: both ends on plain memory of this process. What is counted is
// what the adapter's mover does for a message, and what a direct end does between posting and the
// completions.
#include <algorithm>
#include <cstring>

#include "budget/path/path.hpp"
#include "support/engine_world.hpp"

namespace causeway::test {
namespace {

constexpr abi::QueuePairShape kShape{64, 64, 64, 64};
constexpr std::uint32_t kReceive = abi::kMaxInline;  // bytes that a receive has room for, at least

class EnginePath final : public Path {
public:
    explicit EnginePath(const PathOptions& options)
        : options_(options),
          pair_({}, kShape),
          out_(pair_.pa->add(options.size)),
          in_(pair_.pb->add(std::max(options.size, kReceive))),
          log_(pair_.pb->add((options.messages + 1) * options.size)) {
        pair_.context.copies = engine::default_copy_plan();
    }

    void prepare(std::uint64_t i) override {
        std::memcpy(source().data(), &i, std::min<std::size_t>(sizeof i, options_.size));
        if (options_.operation == "send") {
            pair_.b.post_receive({in_.segment(0, std::max(options_.size, kReceive))});
            // As the library does: entries that need no look at them.
            pair_.b.view.layout().simple_receives.store(pair_.b.receives.produced());
        }
        Post post{.opcode = opcode()};
        if (!options_.signaled)
            post.flags = 0;
        if (options_.operation == "append") {
            post.remote = log_.remote();
            post.remote.address = 0;
        } else if (options_.operation != "send") {
            post.remote = in_.remote();
        }
        if (options_.operation != "read" && options_.size <= abi::kMaxInline) {
            post.flags |= abi::descriptor_flag::kInline;
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(source().data());
            post.payload.assign(bytes, bytes + options_.size);
        } else if (options_.size != 0) {
            post.segments = {out_.segment(0, options_.size)};
        }
        pair_.a.post(post);
    }

    void run(std::uint64_t /*i*/, const Marks& marks) override {
        marks.begin();
        const engine::Step last = pair_.run();
        pair_.a.endpoint.publish_taken_lazily();
        marks.end();
        need(last == engine::Step::idle, "the engine did not come to an end");
    }

    void finish(std::uint64_t i) override {
        const std::byte* arrived = target();
        if (options_.signaled) {
            const auto sent = pair_.a.take_send();
            need(sent && sent->status == 0, "a message was not sent");
            if (options_.operation == "append")
                arrived = log_.bytes(sent->offset, options_.size).data();
        }
        if (options_.operation == "send") {
            const auto received = pair_.b.take_receive();
            need(received && received->status == 0 && received->length == options_.size,
                 "a message did not arrive");
            if ((received->flags & abi::completion_flag::kPayload) != 0)
                std::memcpy(in_.area.data(), received->payload, options_.size);
        }
        std::uint64_t first = 0;
        std::memcpy(&first, arrived, std::min<std::size_t>(sizeof first, options_.size));
        need(options_.size < sizeof i || first == i, "another message than this one arrived");
        need(std::memcmp(arrived, source().data(), options_.size) == 0, "a wrong byte");
    }

    std::vector<QueueMemory> queue_memory() override {
        return {{"a", pair_.a.memory.bytes(), kShape}, {"b", pair_.b.memory.bytes(), kShape}};
    }
    std::span<std::byte> source() override {
        return options_.operation == "read" ? in_.area.bytes() : out_.area.bytes();
    }

private:
    [[nodiscard]] abi::Opcode opcode() const {
        if (options_.operation == "send")
            return abi::Opcode::send;
        if (options_.operation == "write")
            return abi::Opcode::write;
        return options_.operation == "read" ? abi::Opcode::read : abi::Opcode::append;
    }
    [[nodiscard]] const std::byte* target() const {
        return options_.operation == "read" ? out_.area.data() : in_.area.data();
    }

    PathOptions options_;
    TestPair pair_;
    TestRegion& out_;
    TestRegion& in_;
    TestRegion& log_;
};

}  // namespace

std::unique_ptr<Path> make_engine_path(const PathOptions& options) {
    return std::make_unique<EnginePath>(options);
}

}  // namespace causeway::test
