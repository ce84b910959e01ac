/* A plug-in that never comes to an end. */
#include "plugin.h"

EXPORT(price) double price(int pieces, double each)
{
    for (volatile int i = 0;; i++)
        ;
}
