#include "support/bystanders.hpp"

#include <cstring>
#include <stdexcept>

#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSmall = 24;         // travels in the completion
constexpr std::uint32_t kLarge = 300 << 10;  // more than one piece of a move
constexpr std::uint64_t kPatienceNs = 60'000'000'000;

void fill(std::span<std::byte> bytes, std::uint64_t seed) { Random(seed).fill(bytes); }

bool holds(std::span<const std::byte> bytes, std::uint64_t seed) {
    Random random(seed);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i % 8 == 0)
            word = random.next();
        if (bytes[i] != static_cast<std::byte>(word >> (i % 8 * 8)))
            return false;
    }
    return true;
}

}  // namespace

struct Bystanders::World {
    World(const std::string& socket, const std::string& name)
        : a(Partition::attach(name + "-a", {socket}).value()),
          b(Partition::attach(name + "-b", {socket}).value()),
          a_memory(a.allocate(2 * kLarge).value()),
          b_memory(b.allocate(2 * kLarge, Access::remote_write | Access::remote_read).value()),
          a_queue(a.create_completion_queue(64).value()),
          b_queue(b.create_completion_queue(64).value()),
          a_pair(a.create_queue_pair({.completions = a_queue}).value()),
          b_pair(b.create_queue_pair({.completions = b_queue}).value()),
          listener(b.listen("service").value()) {
        a_pair.connect(name + "-b/service", 0ns).value();
        listener.accept(b_pair, 30s).value();
    }
    Partition a, b;
    Region a_memory, b_memory;
    CompletionQueue a_queue, b_queue;
    QueuePair a_pair, b_pair;
    Listener listener;
};

Bystanders::Bystanders(const std::string& socket, const std::string& name)
    : rounds_("a bystander", [socket, name](Rounds& rounds) {
          World world(socket, name);
          for (std::uint64_t n = 1; !rounds.stopping(); ++n) {
              if (const std::string trouble = one_round(world, n); !trouble.empty())
                  throw std::runtime_error(trouble);
              rounds.next();
          }
      }) {}

namespace {

// The completions of `queue` until the one with `id`; what was wrong.
std::string take_until(CompletionQueue& queue, std::uint64_t id) {
    for (;;) {
        const CompletionBatch batch = queue.wait(std::chrono::nanoseconds(kPatienceNs));
        if (batch.empty())
            return "nothing completes";
        bool found = false;
        for (const Completion& done : batch) {
            if (!done.ok())
                return "a descriptor ended " + std::string(name(done.status()));
            found |= done.id() == id;
        }
        if (found)
            return "";
    }
}

}  // namespace

// A small and a large message, a write and a read, each compared.
std::string Bystanders::one_round(World& world, std::uint64_t n) {
    for (const std::uint32_t size : {kSmall, kLarge}) {
        const Slice out = world.a_memory.slice(0, size);
        const Slice in = world.b_memory.slice(0, size);
        fill(out.bytes(), 4 * n);
        std::memset(in.data(), 0, size);
        world.b_pair.post_receive(in, 1).value();
        world.a_pair.post_send(out, 2).value();
        if (auto trouble = take_until(world.b_queue, 1); !trouble.empty())
            return trouble;
        if (auto trouble = take_until(world.a_queue, 2); !trouble.empty())
            return trouble;
        if (!holds(in.bytes(), 4 * n))
            return "a message of " + std::to_string(size) + " bytes came wrong";
    }
    const Slice there = world.a_memory.slice(0, kLarge);
    const Slice back = world.a_memory.slice(kLarge, kLarge);
    fill(there.bytes(), 4 * n + 1);
    std::memset(back.data(), 0, kLarge);
    world.a_pair.post_write(there, world.b_memory.remote(kLarge), 3).value();
    world.a_pair.post_read(back, world.b_memory.remote(kLarge), 4).value();
    if (auto trouble = take_until(world.a_queue, 4); !trouble.empty())
        return trouble;
    return holds(back.bytes(), 4 * n + 1) ? "" : "what was written was not what was read";
}

}  // namespace causeway::test
