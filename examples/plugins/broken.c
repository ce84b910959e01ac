/* A plug-in that reads memory that it has not. */
#include "plugin.h"

EXPORT(price) double price(int pieces, double each)
{
    volatile double *table = (double *)0x7ffffff0;
    return table[pieces] * each;
}
