package main

import "sluice/hadoop/sasl"

// kerberosFlags select the Kerberos identity for HBase and HDFS. The paths come from the
// environment: krb5.conf from KRB5_CONFIG (default /etc/krb5.conf), the ticket cache from
// KRB5CCNAME (default /tmp/krb5cc_UID).
type kerberosFlags struct {
	KerberosPrincipal string `placeholder:"NAME" help:"Client principal for a secured cluster, such as sluice@EXAMPLE.COM (default: the first of the keytab, or that of the ticket cache)."`
	KerberosKeytab    string `placeholder:"FILE" help:"Log in with this keytab, and renew the log-in, instead of using the ticket cache of kinit (KRB5CCNAME)."`
}

// as returns c with the principal and the keytab of the flags.
func (k kerberosFlags) as(c sasl.Config) sasl.Config {
	c.Principal, c.Keytab = k.KerberosPrincipal, k.KerberosKeytab
	return c
}
