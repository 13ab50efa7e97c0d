#include "ipc/door.hpp"

#include <new>
#include <utility>

namespace causeway::ipc::inner {
namespace {

constexpr std::uint32_t kBacklog = 64;

}  // namespace

Result<Door> Door::open(const Port& port, const std::string& service, const LinkTerms& terms) {
    CW_TRY_ASSIGN(client::Listener listener,
                  client::Listener::create(port.partition(), service, kBacklog));
    Door door(std::move(listener), terms);
    CW_TRY(door.make_spare(port));  // what cannot be had shows now
    return door;
}

Result<void> Door::make_spare(const Port& port) {
    if (spare_)
        return {};
    CW_TRY_ASSIGN(auto link, Link::create(port, terms_));
    CW_TRY(link->prepare());
    spare_ = std::move(link);
    return {};
}

std::unique_ptr<Link> Door::take(const Port& port) noexcept {
    // An adapter that is away would be waited for; its return knocks again.
    if (port.partition()->adapter().standing() != client::Standing::here)
        return nullptr;
    try {
        for (;;) {
            if (!make_spare(port).has_value())
                return nullptr;
            auto accepted = listener_.accept(spare_->pair(), 0);
            if (!accepted.has_value() && accepted.error().code == ErrorCode::again)
                return nullptr;
            std::unique_ptr<Link> link = std::move(spare_);
            if (accepted.has_value() && link->welcome().has_value())
                return link;
            // Whoever wanted in has gone again, or could not be connected: the next one.
            if (port.partition()->adapter().standing() != client::Standing::here)
                return nullptr;
        }
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void Door::let_in(const Port& port, LinkTable& links) noexcept {
    try {
        while (std::unique_ptr<Link> link = take(port))
            (void)links.add(std::move(link));
    } catch (const std::bad_alloc&) {
        return;
    }
}

}  // namespace causeway::ipc::inner
