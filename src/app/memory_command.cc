#include "app/commands.h"
namespace brevet { int memory_command(const MemoryFlags&) { return 2; } }
