/* Counts primes the slow way. */
__attribute__((export_name("primes"))) int primes(int first, int last)
{
    int count = 0;
    for (int n = first; n < last; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor)
            divisor++;
        count += n > 1 && divisor * divisor > n;
    }
    return count;
}
