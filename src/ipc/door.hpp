// Door: the listening end of a service: takes the connections that are wanted, each onto a link
// that was prepared before.
//
// Threading: its owner's thread.
// Ownership: owns listener and the link that waits for the next connection.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "client/listener.hpp"
#include "ipc/link.hpp"
#include "ipc/link_table.hpp"
#include "ipc/port.hpp"

namespace causeway::ipc::inner {

class Door {
public:
    [[nodiscard]] static Result<Door> open(const Port& port, const std::string& service,
                                           const LinkTerms& terms);
    // Takes the connection that waits longest onto a link of `port`; null: nobody waits, or what
    // was begun has failed. Never throws.
    [[nodiscard]] std::unique_ptr<Link> take(const Port& port) noexcept;
    // Takes all that wait. One that there is no room or memory for is not let in.
    void let_in(const Port& port, LinkTable& links) noexcept;

private:
    Door(client::Listener listener, const LinkTerms& terms) noexcept
        : listener_(std::move(listener)), terms_(terms) {}
    [[nodiscard]] Result<void> make_spare(const Port& port);

    client::Listener listener_;
    LinkTerms terms_;
    std::unique_ptr<Link> spare_;
};

}  // namespace causeway::ipc::inner
