#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# verify.pl RECORD <message: Mail::DKIM's verdict on each signature, one KIND=VERDICT a line.
# RECORD answers every question for a key: the zone that publishes it is the caller's.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;

my $record = shift or die "usage: verify.pl RECORD <message\n";

{
	package OneRecord;
	sub new { return bless {record => $_[1]}, $_[0] }
	sub send {
		my ($self, $name, $type) = @_;
		require Net::DNS;
		my $packet = Net::DNS::Packet->new($name, $type);
		return $packet if ($type // 'A') ne 'TXT' || $name !~ /^\w+\._domainkey\./;
		my @chunks = $self->{record} =~ /(.{1,200})/g;
		my $text = join ' ', map {"\"$_\""} @chunks;
		$packet->push(answer => Net::DNS::RR->new("$name. 60 IN TXT $text"));
		return $packet;
	}
	sub query { my $self = shift; my $p = $self->send(@_); return $p->answer ? $p : undef }
	sub errorstring { return 'NOERROR' }
	sub AUTOLOAD { return }
}
Mail::DKIM::DNS::resolver(OneRecord->new($record));

my $verifier = Mail::DKIM::Verifier->new();
local $/;
$verifier->PRINT(scalar <STDIN>);
$verifier->CLOSE;
for my $signature ($verifier->signatures) {
	my $kind = $signature->isa('Mail::DKIM::DkSignature') ? 'domainkeys' : 'dkim';
	(my $result = $signature->result_detail) =~ s/\s+/_/g;
	print "$kind=$result\n";
}
